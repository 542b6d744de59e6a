"""Objectives of a study: figure and direction travel together, and several have a Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.evaluation.latency import LATENCY
from pipeline.evaluation.limits import Limits

Figures = Mapping[str, float]
"""Single figures of a training by name, as its run has them."""


@dataclass(frozen=True)
class Objective:
    """What a study optimizes: the ``figure`` of a training's run that is compared, and which way is better."""

    name: str
    figure: str
    direction: Literal["maximize", "minimize"]

    def of(self, figures: Figures) -> float:
        """Return the value of a training."""
        return float(figures[self.figure])

    def loss_of(self, figures: Figures) -> float:
        """Return the value of a training with its sign such that less is better."""
        return -self.of(figures) if self.direction == "maximize" else self.of(figures)


OBJECTIVES = {
    one.name: one
    for one in (
        Objective("val_accuracy", "best_val_accuracy", "maximize"),
        Objective("val_loss", "best_val_loss", "minimize"),
        Objective("n_parameters", "n_parameters", "minimize"),
        Objective(LATENCY, LATENCY, "minimize"),
    )
}


def get_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives of these names, which the settings have checked."""
    return tuple(OBJECTIVES[name] for name in names)


@dataclass(frozen=True)
class ParetoFront:
    """The front of trainings by several objectives, among those that keep the limits."""

    objectives: tuple[Objective, ...]
    limits: Limits

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> ParetoFront | None:
        """Return that of a study by its settings as its run records them; None where it has a single objective."""
        names = settings.get("objectives", "auto").split(",")
        return cls(get_objectives(names), Limits.of(settings)) if len(names) > 1 else None

    def members(self, trainings: Sequence[Figures]) -> list[bool]:
        """Return which trainings are on the front: no other one is as good in all objectives and better in one.

        A training that breaks a limit, or lacks a figure, is not.
        """
        losses = [self._losses(figures) for figures in trainings]
        known = [one for one in losses if one is not None]
        return [one is not None and not any(_dominates(other, one) for other in known) for one in losses]

    def _losses(self, figures: Figures) -> tuple[float, ...] | None:
        is_measured = all(one.figure in figures for one in self.objectives)
        if not is_measured or self.limits.violation(figures) is not None:
            return None
        return tuple(one.loss_of(figures) for one in self.objectives)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(ours <= theirs for ours, theirs in zip(one, other, strict=True))
