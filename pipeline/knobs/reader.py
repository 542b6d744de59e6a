"""Read a search space from a YAML file; every refusal names file, line, rule, value and fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from pipeline.errors import InputError, SpaceError
from pipeline.knobs.domain import Choices, Domain, Range, fixed
from pipeline.knobs.prior import CONFIDENCES, Prior
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knob, Knobs
from pipeline.knobs.values import Values
from pipeline.knobs.yaml_nodes import NodeReader, Rows, read_text

MAX_STEPS = 10_000

_FIRST_TRIAL_RULE = "a first trial must map knob names to values"

FindPoint = Callable[[str], Knobs]


def _no_points(name: str) -> Knobs:
    raise SpaceError(f"{_FIRST_TRIAL_RULE}, got '{name}'; write 'name: value' lines")


def read_space(path: Path, *, find_point: FindPoint = _no_points) -> SearchSpace:
    """Read the search space in ``path``; ``find_point`` returns all knobs of a first trial that is given by a name.

    Raises:
        SpaceError: the file is missing, is not YAML, or breaks a rule of search spaces.
    """
    text = read_text(path, error_class=SpaceError, what="a search space", fix="check the path, or leave 'space' out")
    return _SpaceReader(str(path), find_point).read(text)


class _SpaceReader(NodeReader):
    """Turn YAML nodes into domains and first trials."""

    error_class = SpaceError

    def __init__(self, source: str, find_point: FindPoint) -> None:
        super().__init__(source)
        self._find_point = find_point

    def read(self, text: str) -> SearchSpace:
        """Return the space that the YAML ``text`` describes."""
        sections = self._sections(text, "a search space", ("knobs", "first_trials"), required=("knobs",))
        rows = self._mapping(sections["knobs"][1], "'knobs' must map knob names to values")
        self._check_keys(rows, KNOBS, "knob")
        space = SearchSpace(self._source, {name: self._domain(KNOBS[name], node) for name, (_, node) in rows.items()})
        if "first_trials" in sections:
            rule = "'first_trials' must be a list of configurations; start each with '- '"
            trials = self._list(sections["first_trials"][1], rule)
            space = replace(space, first_trials=tuple(self._first_trial(node, space) for node in trials))
        return replace(space, priors={name: self._prior(KNOBS[name], node, space) for name, node in self._priors(rows)})

    def _domain(self, knob: Knob, node: yaml.Node) -> Domain:
        label = f"'{knob.name}'"
        if isinstance(node, yaml.ScalarNode):
            return fixed(self._checked(node, knob, label))
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{label} must be a value, low/high or choices; write 'choices: [...]'")
        parts = self._mapping(node, "")
        self._check_keys(parts, ("low", "high", "log", "step", "choices", "prior"), "key", f" of knob {label}")
        parts.pop("prior", None)
        return self._choices(knob, node, parts) if "choices" in parts else self._range(knob, node, parts)

    def _priors(self, rows: Rows) -> Iterator[tuple[str, yaml.Node]]:
        """Yield the name of each knob that states a prior, and the prior's node."""
        for name, (_, node) in rows.items():
            parts = self._mapping(node, "") if isinstance(node, yaml.MappingNode) else {}
            if "prior" in parts:
                yield name, parts["prior"][1]

    def _prior(self, knob: Knob, node: yaml.Node, space: SearchSpace) -> Prior:
        parts = self._mapping(node, f"the prior of '{knob.name}' must have a center or a confidence")
        self._check_keys(parts, ("center", "confidence"), "key", f" of the prior of '{knob.name}'")
        table = {"center": knob, "confidence": Values("name", choices=CONFIDENCES)}
        prior = Prior(**self._values(parts, table, f" of the prior of '{knob.name}'"))
        if prior.center is None and not space.first_trials:
            raise self._error(node, f"the prior of '{knob.name}' needs a center, as there is no first trial; add it")
        if prior.center is not None and not space.domain(knob.name).holds(prior.center):
            raise self._error(
                parts["center"][1],
                f"the center of a prior must lie in the knob's domain, but that of '{knob.name}' is {prior.center!r} "
                f"and its domain is {space.domain(knob.name)}; change one of the two",
            )
        return prior

    def _choices(self, knob: Knob, node: yaml.Node, parts: Rows) -> Domain:
        listed = parts["choices"][1]
        if len(parts) > 1:
            raise self._error(node, f"'{knob.name}' has choices and other keys; keep choices alone, or low and high")
        items = self._list(listed, f"choices of '{knob.name}' must be a list of at least one value; add one", 1)
        values = tuple(self._checked(item, knob, f"'{knob.name}'") for item in items)
        if len(set(values)) < len(values):
            raise self._error(listed, f"choices of '{knob.name}' must differ, got {list(values)}; remove the repeats")
        return Choices(values)

    def _range(self, knob: Knob, node: yaml.Node, parts: Rows) -> Domain:
        label = f"'{knob.name}'"
        if knob.kind not in ("int", "float"):
            raise self._error(node, f"{label} is not a number; give a value, or 'choices: [...]'")
        for bound in ("low", "high"):
            if bound not in parts:
                raise self._error(node, f"{label} needs low and high, got no {bound}; add it")
        low, high = (float(self._checked(parts[bound][1], knob, label)) for bound in ("low", "high"))
        if low >= high:
            raise self._error(node, f"{label} needs low < high, got {low:g} and {high:g}; swap or widen them")
        log = self._checked(parts["log"][1], Values("bool"), f"'log' of {label}") if "log" in parts else False
        if log and low <= 0:
            raise self._error(node, f"{label} with log needs low > 0, got {low:g}; raise low, or remove log")
        step = self._step(knob, parts["step"][1], high - low) if "step" in parts else None
        if log and step is not None:
            raise self._error(node, f"{label} has both log and step; remove one of them")
        return Range(low, high, log=log, step=step)

    def _step(self, knob: Knob, node: yaml.Node, span: float) -> float | None:
        step: float | None = self._scalar(node)
        if step is not None:
            least = 1 if knob.kind == "int" else span / MAX_STEPS
            self._checked(node, Values(knob.kind, least, span), f"'step' of '{knob.name}'")
        return step  # as it is written: 8 and 8.0 have different fingerprints

    def _first_trial(self, node: yaml.Node, space: SearchSpace) -> Knobs:
        if isinstance(node, yaml.ScalarNode):
            return self._named_trial(node, str(self._scalar(node)), space)
        rows = self._mapping(node, _FIRST_TRIAL_RULE)
        self._check_keys(rows, KNOBS, "knob")
        knobs = self._values(rows, KNOBS)
        for name, (_, value_node) in rows.items():
            self._check_inside(value_node, name, knobs, space)
        if missing := [name for name in space.searched if name not in knobs]:
            raise self._error(node, f"a first trial must set every searched knob, lacks {', '.join(missing)}; add them")
        return knobs

    def _named_trial(self, node: yaml.Node, name: str, space: SearchSpace) -> Knobs:
        try:
            point = self._find_point(name)
        except InputError as error:
            raise self._error(node, str(error)) from error
        for knob in point:
            self._check_inside(node, knob, point, space, owner=f" of '{name}'")
        return {knob: point[knob] for knob in space.domains}

    def _check_inside(self, node: yaml.Node, name: str, knobs: Knobs, space: SearchSpace, owner: str = "") -> None:
        if not space.domain(name).holds(knobs[name]):
            raise self._error(
                node,
                f"first trials must lie in the space, but '{name}'{owner} is {knobs[name]!r} and its domain is "
                f"{space.domain(name)}; change one of the two",
            )
