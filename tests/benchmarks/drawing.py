"""Configurations of a space to compare: its first one, mutations of that, and uniform draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from pipeline.knobs.proposals import draw_uniform, mutate
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs

from .competitors.spaces import first_params


@dataclass(frozen=True)
class Draw:
    """All knobs of a configuration, and where it comes from: ``prior``, ``mutation`` or ``uniform``."""

    origin: str
    knobs: Knobs


def draw_configurations(space: SearchSpace, n: int, *, seed: int) -> list[Draw]:
    """Return the prior, mutations of it for a half of the rest, and uniform draws, all different.

    All have the prior's epochs, which are left to whoever trains them.
    """
    first, rng = first_params(space), Random(seed)
    prior = space.knobs_of(first)
    space = space.with_fixed("epochs", prior["epochs"])
    mutations = (Draw("mutation", space.knobs_of(mutate(space, first, rng))) for _ in count())
    uniform = (Draw("uniform", space.knobs_of(draw_uniform(space, rng))) for _ in count())
    chosen = _different([Draw("prior", prior)], mutations, 1 + (n - 1) // 2)
    return _different(chosen, uniform, n)[:n]


def _different(chosen: list[Draw], more: Iterator[Draw], n: int) -> list[Draw]:
    while len(chosen) < n:
        draw = next(more)
        if all(draw.knobs != one.knobs for one in chosen):
            chosen = [*chosen, draw]
    return chosen


def turned_knobs(knobs: Knobs) -> Knobs:
    """Return the knobs that are not at their defaults."""
    return {name: value for name, value in knobs.items() if value != KNOBS[name].default}
