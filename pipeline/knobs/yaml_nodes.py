"""YAML read by its nodes, which know their lines: every refusal names file, line, rule, value and fix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from pipeline.errors import InputError, did_you_mean
from pipeline.knobs.values import Values

Rows = dict[str, tuple[yaml.Node, yaml.Node]]
"""The key and the value of each row of a mapping, by the key's text."""


class NodeReader:
    """Base of the readers of YAML files; refusals are of ``error_class``, and each is one line."""

    error_class: ClassVar[type[InputError]] = InputError

    def __init__(self, source: str) -> None:
        self._source = source

    def _compose(self, text: str) -> yaml.Node | None:
        """Return the root of the document, or None where it is empty; no value is made yet."""
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._error_at(line, f"not valid YAML ({error.problem}); mend that line") from error
        except yaml.YAMLError as error:
            raise self._error_at(1, f"not valid YAML ({first_line(error)}); mend the file") from error
        except RecursionError as error:
            raise self._error_at(1, "lists or mappings lie too deep in each other; mend the file") from error

    def _scalar(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a single value is needed here, got a list or a mapping; write one value")
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            text = f"{node.value[:40]!r} cannot be read ({first_line(error)}); write a plain number or name"
            raise self._error(node, text) from error
        if isinstance(value, str) and node.style is None:
            return _number(value)
        return value

    def _checked(self, node: yaml.Node, values: Values, label: str) -> Any:
        """Return the single value of ``node`` where ``values`` allows it; ``label`` says whose it is."""
        value = self._scalar(node)
        if problem := values.problem(value):
            near = f"; {did_you_mean(value, values.choices)}" if values.kind == "name" else "; change it"
            raise self._error(node, f"{label} {problem}, got {value!r}{near}")
        return values.cast(value)

    def _mapping(self, node: yaml.Node, rule: str) -> Rows:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{rule}; write 'name: value' lines")
        rows: Rows = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a name is needed here, got a list or a mapping; write 'name: value' lines")
            if key.value in rows:
                raise self._error(key, f"'{key.value}' stands here twice; drop one of them")
            rows[key.value] = (key, value)
        return rows

    def _check_keys(self, rows: Rows, valid: Iterable[str], noun: str, owner: str = "") -> None:
        """Refuse the first key that is not ``valid``; ``noun`` says what the keys are, ``owner`` whose."""
        names = tuple(valid)
        for name, (key, _) in rows.items():
            if name not in names:
                raise self._error(key, f"unknown {noun} '{name}'{owner}; {did_you_mean(name, names)}")

    def _error(self, node: yaml.Node, text: str) -> InputError:
        return self._error_at(node.start_mark.line + 1, text)

    def _error_at(self, line: int, text: str) -> InputError:
        return self.error_class(f"{self._source}:{line}: {' '.join(text.splitlines())}")


def read_text(path: Path, *, error_class: type[InputError], what: str, fix: str) -> str:
    """Return the text of the file that holds ``what``.

    Raises:
        InputError: of ``error_class``, where the file is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise error_class(f"{what} must be a readable YAML file, got '{path}' ({first_line(error)}); {fix}") from error


def first_line(error: Exception) -> str:
    """Return what ``error`` says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__


def _number(text: str) -> str | float:
    """Read numbers such as ``1e-3``, which YAML 1.1 takes for text."""
    try:
        return float(text)
    except ValueError:
        return text
