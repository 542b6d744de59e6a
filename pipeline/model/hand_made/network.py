"""From a hand-made model to a Keras network that takes raw pixels and gives class probabilities."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pipeline.data.scaling import Scaling
from pipeline.errors import ModelFileError
from pipeline.model.backbones import build_backbone
from pipeline.model.hand_made.description import HandMade, Layer

_ESCAPES = re.compile(r"\x1b\[\d*m")


def build_hand_made(
    model: HandMade, *, pixel_scaling: Scaling, precision: str = "float32", backbone_weights: str | Path | None = None
) -> Any:
    """Build the network as it is written, uncompiled.

    It takes raw images of shape (n, *input_shape) and returns probabilities of shape (n, n_classes) in float32, or of
    shape (n, 1) where one sigmoid unit tells two classes apart. ``pixel_scaling`` stands inside; a backbone has its
    own in its place, for pixels of 0..255. ``backbone_weights`` is ``imagenet``, a path, or None for random ones.

    Raises:
        ModelFileError: a layer does not fit the images, or the parameters are not as many as the file says.
    """
    import keras

    network = keras.Sequential(name="network")
    network.add(keras.Input(model.input_shape, name="pixels"))
    if model.backbone is None:
        factor, offset = list(pixel_scaling.factor), list(pixel_scaling.offset)
        network.add(keras.layers.Rescaling(factor, offset, name="scaling", dtype=precision))
    for index, layer in enumerate(model.layers):
        # Probabilities, and a dropout of them, are kept in full precision.
        policy = "float32" if index >= model.output_index else precision
        if layer.kind == "Backbone":
            network.add(_backbone(model, layer, policy, backbone_weights))
        else:
            _add(network, model, layer, f"layer{index + 1}_{layer.kind.lower()}", policy)
    _check_output(network, model)
    _check_n_parameters(network, model)
    return network


def _add(network: Any, model: HandMade, layer: Layer, name: str, precision: str) -> None:
    from keras import layers

    shape = network.output_shape[1:]
    try:
        network.add(getattr(layers, layer.kind)(**layer.arguments, name=name, dtype=precision))
    except ValueError as error:
        raise _error(
            model, layer, f"{layer.kind} does not fit its input of shape {shape} ({_reason(error)}); change its "
            "arguments or the layers above it, or use larger images",
        ) from error  # fmt: skip


def _backbone(model: HandMade, layer: Layer, precision: str, weights: str | Path | None) -> Any:
    name = str(layer.arguments["name"])
    trainable = bool(layer.arguments.get("trainable", False))
    try:
        return build_backbone(
            name, input_shape=model.input_shape, weights=weights, trainable=trainable, precision=precision
        )
    except Exception as error:  # a download that fails raises no narrower class
        raise _error(
            model, layer, f"the weights of {name} cannot be loaded from '{weights}' ({_reason(error)}); give "
            "'imagenet' where Keras can download them, or the path of a file that fits the network without its top",
        ) from error  # fmt: skip


def _check_output(network: Any, model: HandMade) -> None:
    layer, width = model.layers[model.output_index], network.output_shape[-1]
    if model.is_binary and width != 1:
        raise _error(model, layer, f"sigmoid must end one unit, got {width}; use softmax, or one unit above")
    if not model.is_binary and width < 2:
        raise _error(model, layer, f"softmax needs two classes or more, got {width}; use sigmoid, or more units above")


def _check_n_parameters(network: Any, model: HandMade) -> None:
    found = network.count_params()
    if model.n_parameters is not None and found != model.n_parameters:
        raise _error(
            model, model.layers[0], f"the layers from here on have {found:,} parameters, but n_parameters says "
            f"{model.n_parameters:,}; mend the layers, or n_parameters",
        )  # fmt: skip


def _error(model: HandMade, layer: Layer, text: str) -> ModelFileError:
    return ModelFileError(f"{model.source}:{layer.line}: {text}")


def _reason(error: Exception) -> str:
    """Return the sentence of Keras's message that tells the reason."""
    lines = [line for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception encountered")] or [type(error).__name__]
    return told[0].split(". Received")[0].removesuffix(".")
