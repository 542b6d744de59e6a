"""Read a hand-made model from its YAML file; every refusal names file, line, rule, value and fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ModelFileError
from pipeline.knobs.table import KNOBS, Knobs
from pipeline.knobs.values import Values
from pipeline.knobs.yaml_nodes import NodeReader, Rows, read_text
from pipeline.model.model_file.description import ModelFile, Reported
from pipeline.model.model_file.layer_reader import LayerReader
from pipeline.model.model_file.layer_table import Argument
from pipeline.model.model_file.training_table import NEEDED, NETWORK_KNOBS, TRAINING

_SECTIONS = ("dataset", "input_shape", "n_parameters", "reported", "training", "knobs", "layers")
_REQUIRED = ("input_shape", "layers")

_SIDE = Argument("int", 1, 10_000)
_COUNT = Argument("int", 1, 10**12)
_REPORTED = {
    "accuracy": Argument("float", 0.0, 1.0),
    "on": Argument("name", choices=("test", "validation", "train")),
    "loss": Argument("float", 0.0, 1e6),
    "train_seconds": Argument("float", 0.0, 1e9),
}


def read_model_file(path: Path) -> ModelFile:
    """Read the hand-made model in ``path``; its name is the file's.

    Nothing in the file is evaluated: layers and arguments are those of a table. TensorFlow is not loaded.

    Raises:
        ModelFileError: the file is missing, is no YAML, or breaks a rule of hand-made models.
    """
    text = read_text(path, error_class=ModelFileError, what="a hand-made model", fix="check the path")
    return parse_model_file(text, name=path.stem, source=str(path))


def parse_model_file(text: str, *, name: str, source: str) -> ModelFile:
    """Read the hand-made model called ``name`` from the ``text`` of its file ``source``.

    Raises:
        ModelFileError: the text is no YAML, or breaks a rule of hand-made models.
    """
    return _Reader(source).read(text, name)


def is_model_file(path: Path) -> bool:
    """Tell whether a YAML file describes a hand-made model: it has layers."""
    text = read_text(path, error_class=ModelFileError, what="a configuration", fix="check the path")
    return re.search(r"^layers\s*:", text, re.MULTILINE) is not None


class _Reader(NodeReader):
    """Turn YAML nodes into a hand-made model."""

    error_class = ModelFileError

    def read(self, text: str, name: str) -> ModelFile:
        """Return the model called ``name`` that the YAML ``text`` describes."""
        root = self._compose(text)
        sections = self._mapping(root, "a hand-made model must have sections") if root else {}
        self._check_keys(sections, _SECTIONS, "section")
        for section in _REQUIRED:
            if section not in sections:
                raise self._error_at(1, f"a hand-made model must have the section '{section}'; add it")
        nodes = {section: node for section, (_, node) in sections.items()}
        input_shape = self._input_shape(nodes["input_shape"])
        return ModelFile(
            name=name,
            source=self._source,
            dataset=self._dataset(nodes["dataset"]) if "dataset" in nodes else None,
            input_shape=input_shape,
            n_parameters=self._n_parameters(nodes["n_parameters"]) if "n_parameters" in nodes else None,
            reported=self._reported(nodes["reported"]) if "reported" in nodes else (),
            training=self._training(nodes["training"]) if "training" in nodes else {},
            network_knobs=self._network_knobs(nodes["knobs"]) if "knobs" in nodes else None,
            layers=LayerReader(self._source).read(nodes["layers"], input_shape),
            text=text,
        )

    def _dataset(self, node: yaml.Node) -> str | None:
        name = self._text(node, "'dataset'")
        return None if name == "none" else name

    def _input_shape(self, node: yaml.Node) -> tuple[int, ...]:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) not in (2, 3):
            raise self._error(
                node,
                "'input_shape' must be a list of 3 numbers, or of 2 for sequences; write [height, width, channels]",
            )
        return tuple(self._checked(item, _SIDE, "'input_shape'") for item in node.value)

    def _n_parameters(self, node: yaml.Node) -> int | None:
        if isinstance(node, yaml.ScalarNode) and self._scalar(node) is None:
            return None
        count: int = self._checked(node, _COUNT, "'n_parameters'")
        return count

    def _reported(self, node: yaml.Node) -> tuple[Reported, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, "'reported' must be a list; write '- {accuracy: 0.9, on: test}' lines, or []")
        return tuple(self._result(item) for item in node.value)

    def _result(self, node: yaml.Node) -> Reported:
        rows = self._mapping(node, "a reported result must have names and values")
        self._check_keys(rows, (*_REPORTED, "note"), "key", " of a reported result")
        if "accuracy" not in rows:
            raise self._error(node, "a reported result needs 'accuracy'; add it, as a share between 0 and 1")
        note = self._text(rows.pop("note")[1], "'note'") if "note" in rows else ""
        values: dict[str, Any] = self._values(rows, _REPORTED)
        return Reported(note=note, **values)

    def _training(self, node: yaml.Node) -> Knobs:
        rows = self._mapping(node, "'training' must map knob names to values")
        for name, (key, _) in rows.items():
            if name in NETWORK_KNOBS:
                raise self._error(key, f"'{name}' is a knob of the network, which 'layers' lists; drop it")
        self._check_keys(rows, TRAINING, "training setting")
        training: Knobs = self._values(rows, TRAINING)
        for name, (key, _) in rows.items():
            if name in NEEDED:
                self._check_needed(key, name, training)
        return training

    def _network_knobs(self, node: yaml.Node) -> Knobs:
        rows = self._mapping(node, "'knobs' must map knob names to values")
        self._check_keys(rows, NETWORK_KNOBS, "knob", " of the network")
        return self._values(rows, KNOBS)

    def _check_needed(self, key: yaml.Node, name: str, training: Knobs) -> None:
        needed, wanted = NEEDED[name]
        if needed not in training or wanted not in (None, training[needed]):
            fix = f"{needed}: {wanted}" if wanted else needed
            raise self._error(key, f"'{name}' does nothing without '{fix}'; add that, or drop this")

    def _values(self, rows: Rows, table: Mapping[str, Values]) -> dict[str, Any]:
        return {name: self._checked(node, table[name], f"'{name}'") for name, (_, node) in rows.items()}

    def _text(self, node: yaml.Node, label: str) -> str:
        value = self._scalar(node)
        if not isinstance(value, str) or not value:
            raise self._error(node, f"{label} must be a text, got {value!r}; write it in quotes")
        return value
