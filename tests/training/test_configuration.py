"""What a training is made of: knobs or a hand-made model, bound to images."""

from __future__ import annotations

import numpy as np
import pytest
from splitting import split

from pipeline.data.image_set import make_image_set
from pipeline.data.source import Split
from pipeline.knobs.table import complete, parse_knobs
from pipeline.model.model_file import ModelFile, read_model_file
from pipeline.paths import DOCUMENTS_DIR
from pipeline.training.configuration import Configuration, model_file_configuration
from pipeline.training.metric import get_metric
from pipeline.training.trainer import train

# One of each kind of layers and settings; all the others train a few steps in tests/model/test_documents.py.
QUICK = ("cifar10_model_8", "cnn_bn_1", "example_1d", "letters_dnn", "mnist_chapter4")
SLOW = ("weather_model_3_plateau",)


def document(name: str) -> ModelFile:
    return read_model_file(DOCUMENTS_DIR / f"{name}.yaml")


def some_images(model: ModelFile) -> Split:
    """Return 24 random images of the model's shape and classes, split."""
    n_classes = model.n_classes or 2
    n_images = max(24, 2 * n_classes)
    images = np.random.default_rng(0).integers(0, 256, (n_images, *model.input_shape), dtype=np.uint8)
    return split(make_image_set(name="some", source="some", images=images, labels=np.arange(n_images) % n_classes))


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_hand_made_model_trains_by_its_own_settings(name: str) -> None:
    model = document(name)
    configuration = model_file_configuration(model).with_epochs_at_most(2)
    bound = configuration.bind(some_images(model))

    result = train(
        build=bound.build, plan=configuration.plan, data=bound.split, metric=get_metric("val_accuracy"), seed=0
    )

    assert [epoch.number for epoch in result.epochs] == [1, 2]
    assert all(np.isfinite([epoch.loss, epoch.val_loss]).all() for epoch in result.epochs)
    assert bound.finish(result.network).count_params() == model.n_parameters


def test_knobs_are_read_back_from_what_mlflow_keeps_of_them() -> None:
    knobs = complete({"batch_norm": False, "learning_rate": 3e-05, "blocks": 4, "head": "flatten"})

    assert parse_knobs({name: str(value) for name, value in knobs.items()} | {"study": "x"}) == knobs


def test_parameters_of_a_hand_made_model_leave_out_the_knobs_of_the_network() -> None:
    parameters = model_file_configuration(document("cifar10_model_1")).parameters()

    assert parameters["batch_size"] == 32
    assert not {"blocks", "filters", "head", "fc_units"} & set(parameters)
    assert set(Configuration(complete({})).parameters()) == set(complete({}))


def test_finished_network_computes_in_float32_what_the_trained_one_learned(digits: Split) -> None:
    bound = Configuration(complete({"blocks": 1, "filters": 4})).bind(digits)
    trained = bound.build("mixed_bfloat16")

    finished = bound.finish(trained)

    assert {layer.compute_dtype for layer in finished.layers} == {"float32"}
    for one, other in zip(finished.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_whitening_is_fitted_on_the_training_images_and_kept_in_the_finished_network(digits: Split) -> None:
    bound = Configuration(complete({"blocks": 1, "filters": 4, "whitening": True})).bind(digits)
    trained = bound.build("mixed_bfloat16")

    finished = bound.finish(trained)

    import keras

    up_to_whitening = keras.Sequential([finished.get_layer("scaling"), finished.get_layer("whitening")])
    maps = np.asarray(up_to_whitening(digits.train.images[:]))[:, :-1, :-1]  # without the patches beyond the edge
    outputs = maps.reshape(-1, 8)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(outputs[:, :4], rowvar=False), np.eye(4), atol=0.05)
    np.testing.assert_allclose(outputs[:, :4], -outputs[:, 4:], atol=1e-3)
