"""Read YAML by its nodes, which know their lines: every refusal names file, line, rule, value and fix."""

from __future__ import annotations

import errno
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from pipeline.errors import InputError, did_you_mean, first_line, way_to_read
from pipeline.knobs.values import Values
from pipeline.paths import where

Rows = dict[str, tuple[yaml.Node, yaml.Node]]
"""The key and the value of each row of a mapping, by the key's text."""


class NodeReader:
    """Base of the readers of YAML files; refusals are of ``error_class``, and each is one line."""

    error_class: ClassVar[type[InputError]] = InputError

    def __init__(self, source: str) -> None:
        self._source = source

    def _sections(self, text: str, what: str, valid: Collection[str], required: tuple[str, ...]) -> Rows:
        """Return the sections of a file, which holds ``what``."""
        root = self._compose(text)
        sections = self._mapping(root, f"{what} must have the section '{required[0]}'") if root else {}
        self._check_keys(sections, valid, "section")
        for section in required:
            if section not in sections:
                raise self._error_at(1, f"{what} must have the section '{section}'; add it")
        return sections

    def _compose(self, text: str) -> yaml.Node | None:
        """Return the root of the document, or None where it is empty; no value is made yet."""
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._error_at(line, f"not valid YAML ({error.problem}); correct that line") from error
        except yaml.YAMLError as error:
            raise self._error_at(1, f"not valid YAML ({first_line(error)}); correct the file") from error
        except RecursionError as error:
            raise self._error_at(1, "lists or mappings are nested too deeply; correct the file") from error

    def _scalar(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a single value is needed here, got a list or a mapping; write one value")
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except Exception as error:  # a value that does not fit its tag raises anything, from ValueError to KeyError
            text = f"{node.value[:40]!r} cannot be read ({first_line(error)}); write a plain number or name"
            raise self._error(node, text) from error
        if isinstance(value, str) and node.style is None:
            return _number(value)
        return value

    def _text(self, node: yaml.Node, label: str) -> str:
        value = self._scalar(node)
        if not isinstance(value, str) or not value:
            raise self._error(node, f"{label} must be a text, got {value!r}; write it in quotes")
        return value

    def _checked(self, node: yaml.Node, values: Values, label: str) -> Any:
        """Return the value of ``node`` if ``values`` allows it; ``label`` names it in messages."""
        if values.axes and isinstance(node, yaml.SequenceNode):
            rule = f"{label} must be one number or a list of {values.axes}, got {len(node.value)}; change it"
            return tuple(self._single(item, values, label) for item in self._list(node, rule, values.axes, values.axes))
        return self._single(node, values, label)

    def _single(self, node: yaml.Node, values: Values, label: str) -> Any:
        value = self._scalar(node)
        if problem := values.problem(value):
            fix = did_you_mean(value, values.choices) if values.kind == "name" else "change it"
            raise self._error(node, f"{label} {problem}, got {value!r}; {fix}")
        return values.cast(value)

    def _values(self, rows: Rows, table: Mapping[str, Values], owner: str = "") -> dict[str, Any]:
        """Return the checked values of rows whose keys are those of ``table``."""
        return {name: self._checked(node, table[name], f"'{name}'{owner}") for name, (_, node) in rows.items()}

    def _list(self, node: yaml.Node, rule: str, least: int = 0, most: float = math.inf) -> list[yaml.Node]:
        """Return the items of a list of ``least`` to ``most`` of them; ``rule`` is the message of a refusal."""
        if not isinstance(node, yaml.SequenceNode) or not least <= len(node.value) <= most:
            raise self._error(node, rule)
        return list(node.value)

    def _mapping(self, node: yaml.Node, rule: str) -> Rows:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{rule}; write 'name: value' lines")
        rows: Rows = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a name is needed here, got a list or a mapping; write 'name: value' lines")
            if key.value in rows:
                raise self._error(key, f"'{key.value}' stands here twice; remove one of them")
            rows[key.value] = (key, value)
        return rows

    def _check_keys(self, rows: Rows, valid: Collection[str], noun: str, owner: str = "") -> None:
        """Refuse the first key that is not ``valid``; messages call it a ``noun`` of the ``owner``."""
        for name, (key, _) in rows.items():
            if name not in valid:
                fix = did_you_mean(name, valid) if valid else "it takes none"
                raise self._error(key, f"unknown {noun} '{name}'{owner}; {fix}")

    def _error(self, node: yaml.Node, text: str) -> InputError:
        return self._error_at(node.start_mark.line + 1, text)

    def _error_at(self, line: int, text: str) -> InputError:
        return self.error_class(f"{self._source}:{line}: {' '.join(text.splitlines())}")


def read_text(path: Path, *, error_class: type[InputError], what: str, fix: str = "check the path") -> str:
    """Return the text of the file that holds ``what``; ``fix`` is the advice where there is no such file.

    Raises:
        InputError: of ``error_class``, where the file is missing or not text.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(errno.EINVAL, "a pipe or a device")  # which may never end
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path that the system does not take
        reason, way = first_line(error), way_to_read(error, otherwise=fix)
        got = f"'{path}'{where(path)}"
        raise error_class(f"{what} must be a readable YAML file, got {got} ({reason}); {way}") from error


def _number(text: str) -> str | float:
    """Read numbers such as ``1e-3``, which YAML 1.1 takes for text."""
    try:
        return float(text)
    except ValueError:
        return text
