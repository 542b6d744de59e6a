"""Configurations of a space to compare: its first one, mutations of that, and uniform draws."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import optuna

from pipeline.knobs.domain import Choices, Domain, Range
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs, KnobValue, complete

from .competitors.spaces import prior_of

_MOST_MUTATED = 3
_REACH = 0.2  # of a range, on its own scale: the deviation of a mutation


@dataclass(frozen=True)
class Draw:
    """All knobs of a configuration, and where it comes from: ``prior``, ``mutation`` or ``uniform``."""

    origin: str
    knobs: Knobs


def draw_configurations(space: SearchSpace, n: int, *, seed: int) -> list[Draw]:
    """Return the prior, mutations of it for a half of the rest, and uniform draws, all different."""
    prior, randomness = prior_of(space), random.Random(seed)
    n_mutations = (n - 1) // 2
    mutations = (Draw("mutation", _mutated(prior, space, randomness)) for _ in count())
    chosen = _different([Draw("prior", prior)], mutations, 1 + n_mutations)
    return _different(chosen, _uniform(space, seed), n)[:n]


def _different(chosen: list[Draw], more: Iterator[Draw], n: int) -> list[Draw]:
    while len(chosen) < n:
        draw = next(more)
        if all(draw.knobs != one.knobs for one in chosen):
            chosen = [*chosen, draw]
    return chosen


def _uniform(space: SearchSpace, seed: int) -> Iterator[Draw]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return (Draw("uniform", space.suggest(study.ask())) for _ in count())


def _mutated(knobs: Knobs, space: SearchSpace, randomness: random.Random) -> Knobs:
    """Return the knobs with one to three of the searched ones changed, numbers by a part of their range."""
    names = sorted(name for name in space.searched if name != "epochs")
    turned = randomness.sample(names, min(len(names), randomness.randint(1, _MOST_MUTATED)))
    return complete({**knobs, **{name: _other(name, space.domain(name), knobs[name], randomness) for name in turned}})


def _other(name: str, domain: Domain, value: KnobValue, randomness: random.Random) -> KnobValue:
    points = domain.points(name)
    if isinstance(domain, Choices) or points is not None:
        return randomness.choice([point for point in points or () if point != value] or [value])
    return _moved(domain, float(value), randomness)


def _moved(domain: Range, value: float, randomness: random.Random) -> float:
    low, high, at = (math.log(x) if domain.log else x for x in (domain.low, domain.high, value))
    moved = min(high, max(low, at + randomness.gauss(0, _REACH * (high - low))))
    return min(domain.high, max(domain.low, math.exp(moved) if domain.log else moved))


def turned_knobs(knobs: Knobs) -> Knobs:
    """Return the knobs that are not at their defaults."""
    return {name: value for name, value in knobs.items() if value != KNOBS[name].default}
