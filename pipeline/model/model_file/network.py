"""From a hand-made model to a Keras network that takes raw pixels and gives class probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.data.scaling import Scaling
from pipeline.errors import BackboneError, ModelFileError
from pipeline.model.backbones import BACKBONES, build_backbone, images_problem, keras_reason
from pipeline.model.model_file.description import Layer, ModelFile


def build_from_file(
    model: ModelFile, *, pixel_scaling: Scaling, backbone_weights: Path | None, precision: str = "float32"
) -> Any:
    """Build the network as it is written, uncompiled.

    It takes raw images of shape (n, *input_shape) and returns probabilities of shape (n, n_classes) in float32, or of
    shape (n, 1) where one sigmoid unit tells two classes apart. ``pixel_scaling`` stands inside; below a backbone it
    brings pixels to 0..255. ``backbone_weights`` is a file with those of the backbone, or None for random ones.

    Raises:
        ModelFileError: a layer does not fit the images, the weights do not fit the backbone, or the parameters are
            not as many as the file says.
    """
    import keras

    network = keras.Sequential(name="network")
    network.add(keras.Input(model.input_shape, name="pixels"))
    if model.backbone is None or not pixel_scaling.is_identity:
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


def _add(network: Any, model: ModelFile, layer: Layer, name: str, precision: str) -> None:
    from keras import layers

    shape = network.output_shape[1:]
    try:
        network.add(getattr(layers, layer.kind)(**layer.arguments, name=name, dtype=precision))
    except ValueError as error:
        raise _error(
            model, layer, f"{layer.kind} does not fit its input of shape {shape} ({keras_reason(error)}); change its "
            "arguments or the layers above it, or use larger images",
        ) from error  # fmt: skip


def _backbone(model: ModelFile, layer: Layer, precision: str, weights: Path | None) -> Any:
    name = str(layer.arguments["name"])
    if problem := images_problem(name, model.input_shape):
        raise _error(model, layer, f"{problem}; resize the images, or use another backbone")
    unfrozen_blocks = BACKBONES[name].n_blocks if layer.arguments.get("trainable", False) else 0
    try:
        return build_backbone(
            name, input_shape=model.input_shape, weights=weights, unfrozen_blocks=unfrozen_blocks, precision=precision
        )
    except BackboneError as error:
        raise _error(model, layer, str(error)) from error


def _check_output(network: Any, model: ModelFile) -> None:
    layer, width = model.layers[model.output_index], network.output_shape[-1]
    if model.is_binary and width != 1:
        raise _error(model, layer, f"sigmoid must end one unit, got {width}; use softmax, or one unit above")
    if not model.is_binary and width < 2:
        raise _error(model, layer, f"softmax needs two classes or more, got {width}; use sigmoid, or more units above")


def _check_n_parameters(network: Any, model: ModelFile) -> None:
    found = network.count_params()
    if model.n_parameters is not None and found != model.n_parameters:
        raise _error(
            model, model.layers[0], f"the layers from here on have {found:,} parameters, but n_parameters says "
            f"{model.n_parameters:,}; mend the layers, or n_parameters",
        )  # fmt: skip


def _error(model: ModelFile, layer: Layer, text: str) -> ModelFileError:
    return ModelFileError(f"{model.source}:{layer.line}: {text}")
