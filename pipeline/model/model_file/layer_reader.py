"""Read the layers of a hand-made model: names and arguments against the table, places against each other."""

from __future__ import annotations

import yaml

from pipeline.errors import InputError, ModelFileError, did_you_mean
from pipeline.knobs.yaml_nodes import NodeReader, Rows
from pipeline.model.backbones import images_problem
from pipeline.model.model_file.description import DROPOUTS, ArgumentValue, Layer
from pipeline.model.model_file.layer_table import LAYERS, Argument

_IMAGES = {1: "sequences (input_shape [length, channels])", 2: "images (input_shape [height, width, channels])"}
_OUTPUTS = ("softmax", "sigmoid")


class LayerReader(NodeReader):
    """Turn YAML nodes into layers."""

    error_class = ModelFileError

    def read(self, node: yaml.Node, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """Return the layers of the list ``node``, which stand in an order that images of ``input_shape`` can pass."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self._error(node, "'layers' must be a list of at least one layer; start each with '- '")
        layers = tuple(self._layer(item) for item in node.value)
        axes = self._check_order(layers, input_shape)
        self._check_backbone(layers, input_shape)
        self._check_output(layers, axes)
        return layers

    def _layer(self, node: yaml.Node) -> Layer:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            kind, rows = str(self._scalar(node)), Rows()
        else:
            kind, rows = self._named_arguments(node)
        if kind not in LAYERS:
            raise self._error(node, f"unknown layer '{kind}'; {did_you_mean(kind, LAYERS)}")
        valid = LAYERS[kind].arguments
        for name, (key, _) in rows.items():
            if name not in valid:
                fix = did_you_mean(name, valid) if valid else "it takes none"
                raise self._error(key, f"unknown argument '{name}' of {kind}; {fix}")
        missing = [name for name, argument in valid.items() if argument.required and name not in rows]
        if missing:
            raise self._error(node, f"{kind} needs '{missing[0]}'; write '- {kind}: {{{missing[0]}: ...}}'")
        values = {name: self._argument(kind, name, valid[name], value) for name, (_, value) in rows.items()}
        return Layer(kind, values, line)

    def _named_arguments(self, node: yaml.Node) -> tuple[str, Rows]:
        rows = self._mapping(node, "a layer must be its name, or its name with arguments")
        if len(rows) != 1:
            names = ", ".join(f"'{name}'" for name in rows) or "none"
            raise self._error(node, f"a layer must have one name, got {names}; write '- Dense: {{units: 10}}'")
        ((kind, (_, value)),) = rows.items()
        if isinstance(value, yaml.ScalarNode) and self._scalar(value) in (None, ""):
            return kind, Rows()
        return kind, self._mapping(value, f"the arguments of {kind} must have names")

    def _argument(self, kind: str, name: str, argument: Argument, node: yaml.Node) -> ArgumentValue:
        label = f"'{name}' of {kind}"
        if not argument.axes or not isinstance(node, yaml.SequenceNode):
            value: ArgumentValue = self._checked(node, argument, label)
            return value
        if len(node.value) != argument.axes:
            raise self._error(
                node, f"{label} must be one number or a list of {argument.axes}, got {len(node.value)}; change it"
            )
        return tuple(self._checked(item, argument, label) for item in node.value)

    def _check_order(self, layers: tuple[Layer, ...], input_shape: tuple[int, ...]) -> int:
        """Return how many spatial axes the last layer leaves."""
        axes = len(input_shape) - 1
        for layer in layers:
            rule = LAYERS[layer.kind]
            if rule.axes is not None and rule.axes != axes:
                raise self._misplaced(layer, rule.axes, axes)
            axes = 0 if rule.flattens else axes
        return axes

    def _misplaced(self, layer: Layer, wanted: int, axes: int) -> InputError:
        if axes == 0:
            text = f"{layer.kind} cannot stand below a layer that flattens; move it above that layer"
        else:
            other = f"{layer.kind[:-2]}{axes}D"
            fix = f"use {other}" if other in LAYERS else "drop it"
            text = f"{layer.kind} is for {_IMAGES[wanted]}, but these are {_IMAGES[axes]}; {fix}"
        return self._error_at(layer.line, text)

    def _check_backbone(self, layers: tuple[Layer, ...], input_shape: tuple[int, ...]) -> None:
        for layer in layers[1:]:
            if layer.kind == "Backbone":
                raise self._error_at(layer.line, "Backbone must be the first layer; move it there")
        if layers[0].kind != "Backbone":
            return
        if problem := images_problem(str(layers[0].arguments["name"]), input_shape):
            raise self._error_at(layers[0].line, f"{problem}; change input_shape")

    def _check_output(self, layers: tuple[Layer, ...], axes: int) -> None:
        outputs = [layer for layer in layers if layer.kind not in DROPOUTS] or [layers[-1]]
        if outputs[-1].activation not in _OUTPUTS:
            raise self._error_at(
                outputs[-1].line,
                f"the last layer must give class probabilities, got {outputs[-1].kind}; add '- Softmax', or "
                "'- Activation: {activation: sigmoid}' below one unit",
            )
        if axes:
            raise self._error_at(
                outputs[-1].line,
                "the last layer must give one row of probabilities an image, got one for each place in it; add "
                f"'- Flatten' or '- GlobalAveragePooling{axes}D' above",
            )
