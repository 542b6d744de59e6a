"""Read a search space from a YAML file; every refusal names file, line, rule, value and fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import InputError, SpaceError, did_you_mean
from pipeline.knobs.domain import Choices, Domain, Fixed, Range
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knob, Knobs, KnobValue
from pipeline.knobs.yaml_nodes import NodeReader, Rows, read_text

_SECTIONS = ("knobs", "first_trials")
MAX_STEPS = 10_000

FindPoint = Callable[[str], Knobs]


def _no_points(name: str) -> Knobs:
    raise SpaceError(f"a first trial must map knob names to values, got '{name}'; write 'name: value' lines")


def read_space(path: Path, *, find_point: FindPoint = _no_points) -> SearchSpace:
    """Read the search space in ``path``; ``find_point`` gives all knobs of a first trial that is named.

    Raises:
        SpaceError: the file is missing, is no YAML, or breaks a rule of spaces.
    """
    text = read_text(path, error_class=SpaceError, what="a search space", fix="check the path, or leave 'space' out")
    return _Reader(str(path), find_point).read(text)


class _Reader(NodeReader):
    """Turn YAML nodes into domains."""

    error_class = SpaceError

    def __init__(self, source: str, find_point: FindPoint) -> None:
        super().__init__(source)
        self._find_point = find_point

    def read(self, text: str) -> SearchSpace:
        """Return the space that the YAML ``text`` describes."""
        root = self._compose(text)
        sections = self._mapping(root, "a search space must have the section 'knobs'") if root else {}
        self._check_keys(sections, _SECTIONS, "section")
        if "knobs" not in sections:
            raise self._error_at(1, "a search space must have the section 'knobs'; add it")
        domains = self._domains(sections["knobs"][1])
        first = self._first_trials(sections["first_trials"][1], domains) if "first_trials" in sections else ()
        return SearchSpace(source=self._source, domains=domains, first_trials=first)

    def _domains(self, node: yaml.Node) -> dict[str, Domain]:
        rows = self._mapping(node, "'knobs' must map knob names to values")
        return {name: self._domain(self._knob(key, name), value) for name, (key, value) in rows.items()}

    def _domain(self, knob: Knob, node: yaml.Node) -> Domain:
        if isinstance(node, yaml.ScalarNode):
            return Fixed(self._value(knob, node))
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"'{knob.name}' must be a value, low/high or choices; write 'choices: [...]'")
        parts = self._mapping(node, "")
        self._check_keys(parts, ("low", "high", "log", "step", "choices"), "key", f" of knob '{knob.name}'")
        return self._choices(knob, node, parts) if "choices" in parts else self._range(knob, node, parts)

    def _choices(self, knob: Knob, node: yaml.Node, parts: Rows) -> Domain:
        listed = parts["choices"][1]
        if len(parts) > 1:
            raise self._error(node, f"'{knob.name}' has choices and other keys; keep choices alone, or low and high")
        if not isinstance(listed, yaml.SequenceNode) or not listed.value:
            raise self._error(listed, f"choices of '{knob.name}' must be a list of at least one value; fill it")
        values = tuple(self._value(knob, item) for item in listed.value)
        if len(set(values)) < len(values):
            raise self._error(listed, f"choices of '{knob.name}' must differ, got {list(values)}; drop the repeats")
        return Fixed(values[0]) if len(values) == 1 else Choices(values)

    def _range(self, knob: Knob, node: yaml.Node, parts: Rows) -> Domain:
        if knob.kind not in ("int", "float"):
            raise self._error(node, f"'{knob.name}' is no number; give a value, or 'choices: [...]'")
        for bound in ("low", "high"):
            if bound not in parts:
                raise self._error(node, f"'{knob.name}' needs low and high, got no {bound}; add it")
        low, high = (float(self._value(knob, parts[bound][1])) for bound in ("low", "high"))
        if low >= high:
            raise self._error(node, f"'{knob.name}' needs low < high, got {low:g} and {high:g}; swap or widen them")
        log = self._scalar(parts["log"][1]) if "log" in parts else False
        step = self._scalar(parts["step"][1]) if "step" in parts else None
        if not isinstance(log, bool):
            raise self._error(parts["log"][1], f"'log' of '{knob.name}' must be true or false, got '{log}'; mend it")
        if log and low <= 0:
            raise self._error(node, f"'{knob.name}' with log needs low > 0, got {low:g}; raise low, or drop log")
        if step is not None:
            self._check_step(knob, parts["step"][1], step, high - low, log)
        return Range(low, high, log=log, step=step)

    def _check_step(self, knob: Knob, node: yaml.Node, step: object, span: float, log: bool) -> None:
        if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step <= span:
            raise self._error(
                node,
                f"'step' of '{knob.name}' must be a number above 0 and at most {span:g}, got {step!r}; mend it",
            )
        if span / step > MAX_STEPS:
            raise self._error(
                node, f"'{knob.name}' may have at most {MAX_STEPS:,} steps, got {span / step:,.0f}; widen them"
            )
        if knob.kind == "int" and not float(step).is_integer():
            raise self._error(node, f"'step' of '{knob.name}' must be a whole number, got {step!r}; round it")
        if log:
            raise self._error(node, f"'{knob.name}' has both log and step; drop one of them")

    def _first_trials(self, node: yaml.Node, domains: dict[str, Domain]) -> tuple[Knobs, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, "'first_trials' must be a list of configurations; start each with '- '")
        return tuple(
            self._named_trial(item, domains) if isinstance(item, yaml.ScalarNode) else self._first_trial(item, domains)
            for item in node.value
        )

    def _named_trial(self, node: yaml.Node, domains: dict[str, Domain]) -> Knobs:
        name = str(self._scalar(node))
        try:
            point = self._find_point(name)
        except InputError as error:
            raise self._error(node, str(error)) from error
        for knob, value in point.items():
            self._check_inside(node, knob, value, domains, owner=f" of '{name}'")
        return {knob: point[knob] for knob in domains}

    def _first_trial(self, node: yaml.Node, domains: dict[str, Domain]) -> Knobs:
        knobs: Knobs = {}
        for name, (key, value_node) in self._mapping(node, "a first trial must map knob names to values").items():
            knob = self._knob(key, name)
            knobs[name] = value = self._value(knob, value_node)
            self._check_inside(value_node, name, value, domains)
        missing = [name for name, domain in domains.items() if name not in knobs and not isinstance(domain, Fixed)]
        if missing:
            raise self._error(node, f"a first trial must set every searched knob, lacks {', '.join(missing)}; add them")
        return knobs

    def _check_inside(
        self, node: yaml.Node, name: str, value: KnobValue, domains: dict[str, Domain], owner: str = ""
    ) -> None:
        domain = domains.get(name, Fixed(KNOBS[name].default))
        if not domain.holds(value):
            raise self._error(
                node,
                f"first trials must lie in the space, but '{name}'{owner} is {value!r} and its domain is "
                f"{_describe(domain)}; change one of the two",
            )

    def _knob(self, node: yaml.Node, name: str) -> Knob:
        if name not in KNOBS:
            raise self._error(node, f"unknown knob '{name}'; {did_you_mean(name, KNOBS)}")
        return KNOBS[name]

    def _value(self, knob: Knob, node: yaml.Node) -> Any:
        return self._checked(node, knob, f"'{knob.name}'")


def _describe(domain: Domain) -> str:
    if isinstance(domain, Fixed):
        return f"the fixed value {domain.value!r}"
    if isinstance(domain, Choices):
        return f"one of {list(domain.values)}"
    steps = f" in steps of {domain.step:g}" if domain.step else ""
    return f"{domain.low:g} to {domain.high:g}{steps}"
