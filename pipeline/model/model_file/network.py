"""From a model file to a Keras network that takes raw pixels and gives class probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.data.scaling import Scaling
from pipeline.errors import BackboneError
from pipeline.model.backbones import BACKBONES, build_backbone, images_problem, keras_reason
from pipeline.model.model_file.description import Layer, ModelFile
from pipeline.model.network import add_layers, scaling_layer


def build_from_file(
    model: ModelFile, *, pixel_scaling: Scaling, backbone_weights: Path | None, precision: str = "float32"
) -> Any:
    """Build the network as its file lists it, uncompiled.

    It takes raw images of shape (n, *input_shape) and returns probabilities of shape (n, n_classes) in float32, or of
    shape (n, 1) where one sigmoid unit tells two classes apart. It applies ``pixel_scaling`` itself; before a backbone
    that scales pixels to 0..255. ``backbone_weights`` is the weights file of the backbone, or None for random ones.

    Raises:
        ModelFileError: a layer does not fit the images, the weights do not fit the backbone, or the number of
            parameters is not the one that the file states.
    """
    import keras

    network = keras.Sequential([keras.Input(model.input_shape, name="pixels")], name="network")
    if model.backbone is None or not pixel_scaling.is_identity:
        add_layers(network, [scaling_layer(pixel_scaling)], precision)
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
    shape = network.output_shape[1:]
    try:
        add_layers(network, [(layer.kind, name, layer.arguments)], precision)
    except ValueError as error:
        raise model.error(
            layer, f"{layer.kind} does not fit its input of shape {shape} ({keras_reason(error)}); change its "
            "arguments or the layers before it, or use larger images",
        ) from error  # fmt: skip


def _backbone(model: ModelFile, layer: Layer, precision: str, weights: Path | None) -> Any:
    name = str(layer.arguments["name"])
    if problem := images_problem(name, model.input_shape):
        raise model.error(layer, f"{problem}; resize the images, or use another backbone")
    unfrozen_blocks = BACKBONES[name].n_blocks if layer.arguments.get("trainable", False) else 0
    try:
        return build_backbone(
            name, input_shape=model.input_shape, weights=weights, unfrozen_blocks=unfrozen_blocks, precision=precision,
            preprocessing=str(layer.arguments.get("preprocessing", "own")),
        )  # fmt: skip
    except BackboneError as error:
        raise model.error(layer, str(error)) from error


def _check_output(network: Any, model: ModelFile) -> None:
    width = network.output_shape[-1]
    if model.is_binary and width != 1:
        raise model.error(model.output, f"sigmoid needs one unit, got {width}; use softmax, or one unit before it")
    if not model.is_binary and width < 2:
        raise model.error(
            model.output, f"softmax needs two classes or more, got {width}; use sigmoid, or more units before it"
        )


def _check_n_parameters(network: Any, model: ModelFile) -> None:
    found = network.count_params()
    if model.n_parameters is not None and found != model.n_parameters:
        raise model.error(
            model.layers[0], f"the layers from here on have {found:,} parameters, but n_parameters says "
            f"{model.n_parameters:,}; correct the layers, or n_parameters",
        )  # fmt: skip
