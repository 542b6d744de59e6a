"""Mirrored prediction: the mean over an image and its mirror image, wherever a trained network predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splitting import split

from pipeline.data.image_set import Array, make_image_set
from pipeline.data.source import Split
from pipeline.evaluation.scores import predict
from pipeline.knobs.table import KnobValue, complete
from pipeline.model.model_file import read_model_file
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.configuration import Configuration, model_file_configuration
from pipeline.training.metric import get_metric
from pipeline.training.result import TrainingResult
from pipeline.training.trainer import train

TINY: dict[str, KnobValue] = {"blocks": 1, "filters": 4, "head": "flatten", "epochs": 2, "dropout_after_pool": 0.5}
MODEL_FILE = """
input_shape: [8, 8, 1]
training: {batch_size: 64, epochs: 2, learning_rate: 0.003, mirrored_prediction: true}
layers: [Flatten, Dense: {units: 8, activation: relu}, Dense: {units: 10, activation: softmax}]
"""


def configured(**knobs: KnobValue) -> Configuration:
    return Configuration(complete({**TINY, **knobs}))


def fit(
    configuration: Configuration, data: Split, precision: str = "float32"
) -> tuple[BoundConfiguration, TrainingResult]:
    bound = configuration.bind(data)
    return bound, train(
        build=bound.build, plan=configuration.plan, data=bound.split, metric=get_metric("val_accuracy"), seed=0,
        precision=precision,
    )  # fmt: skip


def mean_over_both(network: Any, images: Array) -> Array:
    """Return the mean of what the layers of a network give for images and for their mirror images, one by one."""

    def through(pixels: Any) -> Array:
        for layer in network.layers:
            pixels = layer(pixels)
        return np.asarray(pixels)

    return (through(images) + through(images[:, :, ::-1])) / 2


def test_prediction_is_the_mean_over_an_image_and_its_mirror_image(digits: Split) -> None:
    _, result = fit(configured(mirrored_prediction=True), digits)
    images = np.asarray(digits.validation.images)

    probabilities = np.asarray(result.network(images))

    np.testing.assert_allclose(probabilities, mean_over_both(result.network, images), atol=1e-6)
    np.testing.assert_allclose(probabilities, np.asarray(result.network(images[:, :, ::-1])), atol=1e-6)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_validation_judges_the_network_that_is_finished(output: str) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
    data = split(make_image_set(name="some", source="some", images=images, labels=np.arange(200) % 2))
    bound, result = fit(configured(mirrored_prediction=True, output=output), data)
    seen = bound.images.validation

    finished = predict(bound.finish(result.network), seen.images, seen.labels, seen.class_names)

    assert result.best_epoch is not None
    assert finished.accuracy == pytest.approx(result.best_epoch.val_accuracy)
    chosen = finished.probabilities[np.arange(len(seen.labels)), seen.labels]
    assert -np.log(chosen).mean() == pytest.approx(result.best_epoch.val_loss, rel=1e-4)


def test_training_steps_are_those_without_it(digits: Split) -> None:
    _, mirrored = fit(configured(mirrored_prediction=True, epochs=1), digits)
    _, plain = fit(configured(epochs=1), digits)

    assert (mirrored.epochs[0].loss, mirrored.epochs[0].accuracy) == (plain.epochs[0].loss, plain.epochs[0].accuracy)
    assert mirrored.epochs[0].val_loss != plain.epochs[0].val_loss
    for one, other in zip(mirrored.network.get_weights(), plain.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_finished_network_is_loaded_by_keras_alone_and_computes_in_float32(tmp_path: Path, digits: Split) -> None:
    import keras

    bound, result = fit(configured(mirrored_prediction=True), digits, precision="mixed_bfloat16")
    finished = bound.finish(result.network)
    finished.save(tmp_path / "network.keras")

    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)

    images = np.asarray(digits.validation.images[:50], np.float32)
    np.testing.assert_allclose(loaded.predict_on_batch(images), np.asarray(finished(images)), atol=1e-6)
    np.testing.assert_allclose(loaded(images), loaded(images[:, :, ::-1]), atol=1e-6)
    assert {layer.compute_dtype for layer in loaded.layers if hasattr(layer, "compute_dtype")} == {"float32"}
    assert loaded.count_params() == result.network.count_params()


def test_hand_made_model_can_ask_for_it(tmp_path: Path, digits: Split) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(MODEL_FILE)
    bound, result = fit(model_file_configuration(read_model_file(path)), digits)

    images = np.asarray(digits.validation.images)

    finished = bound.finish(result.network)
    np.testing.assert_allclose(np.asarray(finished(images)), np.asarray(finished(images[:, :, ::-1])), atol=1e-6)


def test_sequences_have_no_mirror_image() -> None:
    signals = np.random.default_rng(0).integers(0, 256, (60, 16, 1), dtype=np.uint8)
    data = split(make_image_set(name="some", source="some", images=signals, labels=np.arange(60) % 2))

    bound = configured(mirrored_prediction=True).bind(data)

    assert not bound.predicts_mirrored
    network = bound.build("float32")
    assert not np.allclose(np.asarray(network(signals)), np.asarray(network(signals[:, ::-1])))
