"""Check that the layers of a model file can follow each other; Keras is not needed for it."""

from __future__ import annotations

from pipeline.errors import ModelFileError
from pipeline.model.backbones import images_problem
from pipeline.model.model_file.description import Layer, ModelFile
from pipeline.model.model_file.layer_table import LAYERS

_IMAGES = {1: "sequences (input_shape [length, channels])", 2: "images (input_shape [height, width, channels])"}


def check_order(model: ModelFile) -> None:
    """Check what each layer takes against what the layers before it give.

    Raises:
        ModelFileError: a layer takes other images, the backbone is not the first layer or does not take the images, or
            the last layer does not give class probabilities.
    """
    axes = len(model.input_shape) - 1
    for layer in model.layers:
        rule = LAYERS[layer.kind]
        if rule.axes is not None and rule.axes != axes:
            raise _misplaced(model, layer, rule.axes, axes)
        axes = 0 if rule.flattens else axes
    _check_backbone(model)
    _check_output(model, axes)


def _misplaced(model: ModelFile, layer: Layer, wanted: int, axes: int) -> ModelFileError:
    if axes == 0:
        text = f"{layer.kind} cannot follow a layer that flattens; move it before that layer"
    else:
        other = f"{layer.kind[:-2]}{axes}D"
        fix = f"use {other}" if other in LAYERS else "remove it"
        text = f"{layer.kind} is for {_IMAGES[wanted]}, but these are {_IMAGES[axes]}; {fix}"
    return model.error(layer, text)


def _check_backbone(model: ModelFile) -> None:
    for layer in model.layers[1:]:
        if layer.kind == "Backbone":
            raise model.error(layer, "Backbone must be the first layer; move it there")
    if model.backbone is None:
        return
    if problem := images_problem(str(model.backbone.arguments["name"]), model.input_shape):
        raise model.error(model.backbone, f"{problem}; change input_shape")


def _check_output(model: ModelFile, axes: int) -> None:
    output = model.output
    if output.activation not in ("softmax", "sigmoid"):
        raise model.error(
            output, f"the last layer must give class probabilities, got {output.kind}; add '- Softmax', or "
            "'- Activation: {activation: sigmoid}' after a single unit",
        )  # fmt: skip
    if axes:
        raise model.error(
            output, "the last layer must give one row of probabilities per image, got one per position; add "
            f"'- Flatten' or '- GlobalAveragePooling{axes}D' before it",
        )  # fmt: skip
