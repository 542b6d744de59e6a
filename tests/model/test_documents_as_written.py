"""The hand-made models against a transcription of the documents: every layer, setting and result."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from documents_as_written import LAYERS, REPORTED, TRAINING

from pipeline.data.scaling import Scaling
from pipeline.knobs.table import complete
from pipeline.model.model_file import ModelFile, build_from_file
from pipeline.model.model_file.documents import read_document
from pipeline.training.optimizer import make_optimizer
from pipeline.training.plan import TrainingPlan

KINDS = {
    "Conv1D": "conv", "Conv2D": "conv", "MaxPooling1D": "maxpool", "MaxPooling2D": "maxpool", "Dense": "dense",
    "Dropout": "dropout", "BatchNormalization": "bn", "Flatten": "flatten", "GlobalAveragePooling2D": "average",
}  # fmt: skip
ACTIVATIONS = ("relu", "softmax", "sigmoid")


def transcribed(text: str) -> list[str]:
    """Return the layers of a transcription, an activation inside a layer as one of its own."""
    layers = re.split("[;\n]", re.sub("#.*", "", text))
    words = (layer.split() for layer in layers)
    return list(chain.from_iterable(_apart(" ".join(layer)) for layer in words if layer))


def _apart(layer: str) -> list[str]:
    activation = next((name for name in ACTIVATIONS if name in layer.split()), None)
    rest = " ".join(word for word in layer.split() if word != activation)
    return [part for part in (rest, activation) if part]


def built(model: ModelFile) -> list[str]:
    """Return the layers of the network that Keras makes of a file, in the words of a transcription."""
    n_channels = model.input_shape[-1]
    scaling = Scaling((1 / 255,) * n_channels, (0.0,) * n_channels)
    network = build_from_file(model, pixel_scaling=scaling, backbone_weights=None)
    layers = [layer for layer in network.layers if layer.name != "scaling"]
    return list(chain.from_iterable(_apart(_words(layer)) for layer in layers))


def _words(layer: Any) -> str:
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "Functional":
        (preprocessing,) = (one for one in layer.layers if one.name == "preprocessing")
        assert not layer.trainable_weights
        return f"{layer.name} of 0..1" if preprocessing.scale == 1 / 255 and preprocessing.offset == 0 else layer.name
    if kind == "Rescaling":
        assert config["scale"] == 1
        return f"minus {-config['offset']:g}"
    if kind in ("ReLU", "Softmax", "Activation"):
        return str(config.get("activation", kind.lower()))
    words = [KINDS[kind], *_numbers(config)]
    words += (
        ["same"] * (config.get("padding") == "same")
        + _strides(config)
        + ["unbiased"] * (not config.get("use_bias", True))
    )
    initializer = config.get("kernel_initializer", {}).get("class_name", "GlorotUniform")
    words += [] if initializer == "GlorotUniform" else ["he_uniform" if initializer == "HeUniform" else initializer]
    activation = config.get("activation", "linear")
    return " ".join(words + ([] if activation == "linear" else [activation]))


def _numbers(config: dict[str, Any]) -> list[str]:
    if "filters" in config:
        return [str(config["filters"]), "x".join(map(str, config["kernel_size"]))]
    if "pool_size" in config:
        return [str(size) for size in set(config["pool_size"])]
    return [f"{config[name]:g}" for name in ("units", "rate") if name in config]


def _strides(config: dict[str, Any]) -> list[str]:
    usual = config.get("pool_size", (1,) * len(config.get("kernel_size", ())))
    strides = tuple(config.get("strides", usual))
    return [] if strides == tuple(usual) else [f"/{strides[0]}"]


@pytest.mark.parametrize("name", LAYERS)
def test_network_has_the_very_layers_of_the_document(name: str) -> None:
    assert built(read_document(name)) == transcribed(LAYERS[name])


@pytest.mark.parametrize("name", [pytest.param("weather_model_3", marks=pytest.mark.slow), "cifar10_model_1"])
def test_no_activation_can_be_removed_unnoticed(name: str) -> None:
    model, document = read_document(name).at((32, 32, 3)), transcribed(LAYERS[name])
    places = [place for place, layer in enumerate(model.layers) if layer.activation == "relu" or layer.kind == "ReLU"]

    for place in places:
        layer = model.layers[place]
        rest = {key: value for key, value in layer.arguments.items() if key != "activation"}
        kept = () if layer.kind == "ReLU" else (replace(layer, arguments=rest),)
        assert built(replace(model, layers=(*model.layers[:place], *kept, *model.layers[place + 1 :]))) != document
    assert len(places) == document.count("relu")


@pytest.mark.parametrize("name", LAYERS)
def test_training_is_set_as_the_document_sets_it_and_nothing_else_is(name: str) -> None:
    training, stated = read_document(name).training, TRAINING.get(name, {})

    assert complete(training) == complete({**stated})  # type: ignore[dict-item]
    if not stated:
        assert training == {}


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.001), ("rmsprop", 0.0001)])
def test_optimizer_is_the_one_that_keras_makes_of_its_name_alone(optimizer: str, rate: float) -> None:
    import keras

    name = {"adam": "mnist_chapter4", "rmsprop": "transfer_vgg16"}[optimizer]
    ours = make_optimizer(TrainingPlan(complete(read_document(name).training)), n_steps=1).get_config()

    theirs = keras.optimizers.get(optimizer).get_config()
    assert ours == {**theirs, "learning_rate": pytest.approx(rate), "name": ours["name"]}


@pytest.mark.parametrize("name", LAYERS)
def test_results_are_all_there_with_their_images_and_loss(name: str) -> None:
    reported = read_document(name).reported

    assert [(one.accuracy, one.on, one.n_images, one.loss) for one in reported] == REPORTED.get(name, [])
