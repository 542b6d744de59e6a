"""The first incumbent of a search in brackets."""

from __future__ import annotations

from random import Random

from pipeline.errors import SettingError
from pipeline.knobs.proposals import draw_prior, draw_uniform
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs, KnobValue
from pipeline.study.feasibility import Feasibility

_DRAWS = 200


def choose_first(space: SearchSpace, feasibility: Feasibility, *, seed: int) -> Knobs:
    """Return the parameters of the space's first trial, or of the first draw that keeps the limits.

    Raises:
        SettingError: none does.
    """
    given = space.first_params() or [{name: _center(space, name) for name in space.searched}]
    rng = Random(seed)
    near = (draw_prior(space, rng) for _ in range(_DRAWS))
    anywhere = (draw_uniform(space, rng) for _ in range(_DRAWS))
    for params in (*given, *near, *anywhere):
        if feasibility.keeps_limits(params):
            return params
    raise SettingError(
        f"max_parameters must leave a configuration of {space.source}, got {feasibility.limits.max_parameters}; raise "
        "it, or change the space"
    )


def _center(space: SearchSpace, name: str) -> KnobValue:
    """Return a knob's default where it lies in the domain, else the middle of the domain's values."""
    domain, default = space.domain(name), KNOBS[name].default
    if domain.holds(default):
        return default
    points = domain.points(name)
    return points[len(points) // 2] if points else domain.greatest
