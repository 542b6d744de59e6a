"""Read a model file; every refusal names file, line, rule, value and fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.data.document_split import RULES
from pipeline.errors import ModelFileError, did_you_mean
from pipeline.knobs.table import KNOBS, Knobs
from pipeline.knobs.values import Values
from pipeline.knobs.yaml_nodes import NodeReader, Rows, read_text
from pipeline.model.model_file.description import Layer, ModelFile, Reported
from pipeline.model.model_file.layer_order import check_order
from pipeline.model.model_file.layer_table import LAYERS

_NETWORK_KNOBS = [name for name, knob in KNOBS.items() if knob.part in ("blocks", "network", "backbone")]
_TRAINING_KNOBS = [name for name in KNOBS if name not in _NETWORK_KNOBS]

# Knobs without effect unless another knob is set too, and the value that it must have (None: any).
_NEEDED = {
    "early_stopping_monitor": ("early_stopping_patience", None),
    "early_stopping_min_delta": ("early_stopping_patience", None),
    **{name: ("learning_rate_schedule", "plateau") for name in KNOBS if name.startswith("plateau_")},
}

_SIDE = Values("int", 1, 10_000)
_COUNT = Values("int", 1, 10**12)
_VALIDATED_ON = Values("name", choices=(*RULES, "test_images", "nothing"))
_REPORTED = {
    "accuracy": Values("float", 0.0, 1.0),
    "on": Values("name", choices=("test", "validation", "train")),
    "n_images": _COUNT,
    "loss": Values("float", 0.0, 1e6),
    "train_seconds": Values("float", 0.0, 1e9),
}


def read_model_file(path: Path) -> ModelFile:
    """Read the model file ``path``; the model has its name.

    Nothing in the file is evaluated: layers and arguments are those of a table. TensorFlow is not loaded.

    Raises:
        ModelFileError: the file is missing, is not YAML, or breaks a rule of model files.
    """
    text = read_text(path, error_class=ModelFileError, what="a hand-made model")
    return parse_model_file(text, name=path.stem, source=str(path))


def parse_model_file(text: str, *, name: str, source: str) -> ModelFile:
    """Read the model called ``name`` from the ``text`` of its file ``source``.

    Raises:
        ModelFileError: the text is not YAML, or breaks a rule of model files.
    """
    return _ModelReader(source).read(text, name)


def is_model_file(path: Path) -> bool:
    """Tell whether a YAML file describes a model: it has layers."""
    text = read_text(path, error_class=ModelFileError, what="a configuration")
    return re.search(r"^layers\s*:", text, re.MULTILINE) is not None


class _ModelReader(NodeReader):
    """Turn YAML nodes into a hand-made model."""

    error_class = ModelFileError

    def read(self, text: str, name: str) -> ModelFile:
        """Return the model called ``name`` that the YAML ``text`` describes."""
        readers = {
            "dataset": self._dataset,
            "input_shape": self._input_shape,
            "n_parameters": self._n_parameters,
            "validated_on": lambda node: self._checked(node, _VALIDATED_ON, "'validated_on'"),
            "reported": self._reported,
            "training": self._training,
            "knobs": self._knobs,
            "layers": self._layers,
        }
        sections = self._sections(text, "a hand-made model", readers, required=("input_shape", "layers"))
        values: dict[str, Any] = {key: read(sections[key][1]) for key, read in readers.items() if key in sections}
        model = ModelFile(name=name, source=self._source, text=text, **values)
        check_order(model)
        return model

    def _dataset(self, node: yaml.Node) -> str | None:
        name = self._text(node, "'dataset'")
        return None if name == "none" else name

    def _input_shape(self, node: yaml.Node) -> tuple[int, ...]:
        rule = "'input_shape' must be a list of 3 numbers, or of 2 for sequences; write [height, width, channels]"
        return tuple(self._checked(item, _SIDE, "'input_shape'") for item in self._list(node, rule, 2, 3))

    def _n_parameters(self, node: yaml.Node) -> int | None:
        if isinstance(node, yaml.ScalarNode) and self._scalar(node) is None:
            return None
        count: int = self._checked(node, _COUNT, "'n_parameters'")
        return count

    def _reported(self, node: yaml.Node) -> tuple[Reported, ...]:
        rule = "'reported' must be a list; write '- {accuracy: 0.9, on: test}' lines, or []"
        return tuple(self._result(item) for item in self._list(node, rule))

    def _result(self, node: yaml.Node) -> Reported:
        rows = self._mapping(node, "a reported result must have names and values")
        self._check_keys(rows, (*_REPORTED, "note"), "key", " of a reported result")
        if "accuracy" not in rows:
            raise self._error(node, "a reported result needs 'accuracy'; add it, as a share between 0 and 1")
        note = self._text(rows.pop("note")[1], "'note'") if "note" in rows else ""
        return Reported(note=note, **self._values(rows, _REPORTED))

    def _training(self, node: yaml.Node) -> Knobs:
        rows = self._mapping(node, "'training' must map knob names to values")
        for name, (key, _) in rows.items():
            if name in _NETWORK_KNOBS:
                raise self._error(key, f"'{name}' is a knob of the network, which 'layers' lists; remove it")
        self._check_keys(rows, _TRAINING_KNOBS, "training setting")
        training = self._values(rows, KNOBS)
        for name, (needed, wanted) in _NEEDED.items():
            if name in rows and (needed not in training or wanted not in (None, training[needed])):
                fix = f"{needed}: {wanted}" if wanted else needed
                raise self._error(rows[name][0], f"'{name}' has no effect without '{fix}'; add that, or remove this")
        return training

    def _knobs(self, node: yaml.Node) -> Knobs:
        rows = self._mapping(node, "'knobs' must map knob names to values")
        self._check_keys(rows, _NETWORK_KNOBS, "knob", " of the network")
        return self._values(rows, KNOBS)

    def _layers(self, node: yaml.Node) -> tuple[Layer, ...]:
        rule = "'layers' must be a list of at least one layer; start each with '- '"
        return tuple(self._layer(item) for item in self._list(node, rule, 1))

    def _layer(self, node: yaml.Node) -> Layer:
        if isinstance(node, yaml.ScalarNode):
            kind, rows = str(self._scalar(node)), Rows()
        else:
            kind, rows = self._named_arguments(node)
        if kind not in LAYERS:
            raise self._error(node, f"unknown layer '{kind}'; {did_you_mean(kind, LAYERS)}")
        rule = LAYERS[kind]
        self._check_keys(rows, rule.arguments, "argument", f" of {kind}")
        for name in rule.required:
            if name not in rows:
                raise self._error(node, f"{kind} needs '{name}'; write '- {kind}: {{{name}: ...}}'")
        return Layer(kind, self._values(rows, rule.arguments, f" of {kind}"), node.start_mark.line + 1)

    def _named_arguments(self, node: yaml.Node) -> tuple[str, Rows]:
        rows = self._mapping(node, "a layer must be its name, or its name with arguments")
        if len(rows) != 1:
            names = ", ".join(f"'{name}'" for name in rows) or "none"
            raise self._error(node, f"a layer must have one name, got {names}; write '- Dense: {{units: 10}}'")
        ((kind, (_, value)),) = rows.items()
        if isinstance(value, yaml.ScalarNode) and self._scalar(value) in (None, ""):
            return kind, Rows()
        return kind, self._mapping(value, f"the arguments of {kind} must have names")
