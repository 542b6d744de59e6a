"""Propose configurations of a search space: anywhere in it, near its prior, or near one that is known.

The three sources are those of PriorBand (Mallik et al., "PriorBand: Practical hyperparameter optimization in the age of
deep learning", 2023, arXiv 2306.12370). Each function returns the searched knobs alone, as Optuna's parameters, and
follows from the space and the generator.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random

from pipeline.knobs.conditions import has_effect
from pipeline.knobs.domain import Range
from pipeline.knobs.draws import draw_anywhere, draw_near, draw_other
from pipeline.knobs.prior import Prior
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs, KnobValue

MOST_MUTATED = 3

# Usual learning rates of each optimizer, in those of SGD: Adam divides a step by the size of the gradient.
_RATE_SCALES = {"sgd": 1.0, "rmsprop": 0.01, "adam": 0.01, "adamw": 0.01}


def draw_uniform(space: SearchSpace, rng: Random) -> Knobs:
    """Draw each knob uniformly over its domain."""
    return {name: draw_anywhere(name, domain, rng) for name, domain in space.searched.items()}


def draw_prior(space: SearchSpace, rng: Random) -> Knobs:
    """Draw each knob near its prior, and uniformly where it has none.

    A learning rate is near its centre for the optimizer of the prior, and moves with the optimizer that is drawn.
    """
    priors = {name: prior for name in space.searched if (prior := space.prior(name)) is not None}
    drawn = {
        name: draw_near(name, domain, priors[name], rng) if name in priors else draw_anywhere(name, domain, rng)
        for name, domain in space.searched.items()
    }
    centers = {name: prior.center for name, prior in priors.items() if prior.center is not None}
    return _with_learning_rate_of_optimizer(space, centers, drawn)


def mutate(
    space: SearchSpace, params: Knobs, rng: Random, *, n_knobs: int | None = None, keep: Collection[str] = ()
) -> Knobs:
    """Change a few knobs of a configuration: ``n_knobs`` of them, by default 1 to 3.

    Numbers move near, choices to another one; the surer the prior, the nearer. Every chosen knob changes, and only
    knobs are chosen that have an effect in the configuration and are not among those to ``keep``; where there are
    none, it stays as it is. A learning rate moves with the optimizer.
    """
    knobs = space.knobs_of(params)
    names = [name for name in space.searched if name not in keep and has_effect(name, knobs)]
    n_chosen = min(len(names), n_knobs or rng.randint(1, MOST_MUTATED))
    changed = {name: _other_value(space, name, params[name], rng) for name in rng.sample(names, n_chosen)}
    mutated = {**params, **changed}
    return mutated if "learning_rate" in keep else _with_learning_rate_of_optimizer(space, params, mutated)


def changes(before: Knobs, after: Knobs) -> str:
    """Return what differs between two configurations, as in ``blocks 3 -> 2, learning_rate 0.4 -> 0.22``."""
    differing = [name for name, value in after.items() if name in before and before[name] != value]
    return ", ".join(f"{name} {_text(before[name])} -> {_text(after[name])}" for name in differing)


def _other_value(space: SearchSpace, name: str, value: KnobValue, rng: Random) -> KnobValue:
    around = replace(space.prior(name) or Prior(), center=value)
    return draw_other(name, space.searched[name], around, rng)


def _with_learning_rate_of_optimizer(space: SearchSpace, before: Knobs, after: Knobs) -> Knobs:
    """Return ``after`` with its learning rate on the scale of its optimizer, where ``before`` has another one."""
    domain = space.searched.get("learning_rate")
    scales = [_RATE_SCALES[str(knobs["optimizer"])] for knobs in (before, after) if "optimizer" in knobs]
    if len(scales) < 2 or not isinstance(domain, Range) or domain.step is not None:
        return after
    rate = float(after["learning_rate"]) * scales[1] / scales[0]
    return {**after, "learning_rate": min(max(rate, domain.low), domain.high)}


def _text(value: KnobValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
