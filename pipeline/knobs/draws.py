"""Draw the value of one knob: anywhere in its domain, near a value, or another one near it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import cast

from pipeline.knobs.domain import Choices, Domain, Range
from pipeline.knobs.prior import Prior
from pipeline.knobs.table import KnobValue

_SPREADS = {"low": 1 / 2, "medium": 1 / 4, "high": 1 / 10}  # standard deviation, as a share of the domain's width
_LEAST_SPREAD = 0.6  # ... in steps: a neighbour keeps a quarter of the centre's weight
_LEAST_DISTANCE = 0.1  # ... of another value, in standard deviations: a nearer one would be the same
_CENTER_WEIGHTS = {"low": 0.4, "medium": 0.6, "high": 0.8}  # of choices without an order


@dataclass(frozen=True)
class _Point:
    """One of the values of a domain without fractions between them, and the part of the scale that is its own."""

    value: KnobValue
    position: float
    width: float


def draw_anywhere(name: str, domain: Domain, rng: Random) -> KnobValue:
    """Draw a value of the knob ``name`` uniformly over its domain, on a logarithmic scale where it says so."""
    points = _points(name, domain)
    if points is not None:
        return _choose(points, [point.width for point in points], rng)
    low, high = _ends(cast(Range, domain))
    return _value_at(rng.uniform(low, high), cast(Range, domain))


def draw_near(name: str, domain: Domain, prior: Prior, rng: Random) -> KnobValue:
    """Draw a value near the prior's centre, which lies in the domain.

    Numbers follow a normal distribution around it, truncated to the domain, on a logarithmic scale where the domain
    says so; of choices without an order the centre has the greatest weight, and the others share the rest.
    """
    points = _points(name, domain)
    if points is None:
        return _draw_number(cast(Range, domain), prior, rng)
    return _choose(points, _weights(points, domain, prior), rng)


def draw_other(name: str, domain: Domain, prior: Prior, rng: Random) -> KnobValue:
    """Draw a value near the prior's centre as ``draw_near`` does, but another one than the centre."""
    points = _points(name, domain)
    if points is None:
        return _draw_number(cast(Range, domain), prior, rng, least_distance=_LEAST_DISTANCE)
    weights = [
        0.0 if point.value == prior.center else weight
        for point, weight in zip(points, _weights(points, domain, prior), strict=True)
    ]
    return _choose(points, weights, rng)


def _points(name: str, domain: Domain) -> list[_Point] | None:
    """Return the points of a domain in their order, or None where it has fractions without steps."""
    values = domain.points(name)
    if values is None:
        return None
    if isinstance(domain, Range) and domain.log:
        return [_logarithmic_point(value) for value in values]
    ordered = sorted(values) if _has_order(domain) else values
    return [_Point(value, position, 1.0) for position, value in enumerate(ordered)]


def _logarithmic_point(value: KnobValue) -> _Point:
    number = float(value)
    return _Point(value, math.log(number), math.log((number + 0.5) / (number - 0.5)))  # whole numbers from 1 on


def _has_order(domain: Domain) -> bool:
    return isinstance(domain, Range) or not any(isinstance(value, bool | str) for value in domain.values)


def _weights(points: list[_Point], domain: Domain, prior: Prior) -> list[float]:
    center = next(point for point in points if point.value == prior.center)
    if isinstance(domain, Choices) and not _has_order(domain):
        rest = (1 - _CENTER_WEIGHTS[prior.confidence]) / max(1, len(points) - 1)
        return [1 - rest * (len(points) - 1) if point is center else rest for point in points]
    width = sum(point.width for point in points)
    spread = max(_SPREADS[prior.confidence] * width, _LEAST_SPREAD * center.width)
    return [point.width * math.exp(-(((point.position - center.position) / spread) ** 2) / 2) for point in points]


def _choose(points: list[_Point], weights: list[float], rng: Random) -> KnobValue:
    return rng.choices(points, weights)[0].value


def _draw_number(domain: Range, prior: Prior, rng: Random, *, least_distance: float = 0.0) -> float:
    """Draw a number near the prior's centre, and no nearer than ``least_distance`` standard deviations."""
    low, high = _ends(domain)
    center = math.log(cast(float, prior.center)) if domain.log else cast(float, prior.center)
    spread = _SPREADS[prior.confidence] * (high - low)
    while True:
        position = rng.gauss(center, spread)
        if low <= position <= high and abs(position - center) >= least_distance * spread:
            return _value_at(position, domain)


def _ends(domain: Range) -> tuple[float, float]:
    return (math.log(domain.low), math.log(domain.high)) if domain.log else (domain.low, domain.high)


def _value_at(position: float, domain: Range) -> float:
    value = math.exp(position) if domain.log else position
    return min(max(value, domain.low), domain.high)  # exp(log(x)) may lie beside x
