"""Pruning within a rung: all schedules have the same length, so that curves are compared at equal progress."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.pruners import BasePruner
from optuna.trial import create_trial

from pipeline.study.fits import Curve, Fit
from pipeline.study.pruners import takes_notes
from pipeline.training.metric import Metric

SCHEDULE_STEPS = 20
_MOST_SURVIVORS = 50
_ROUNDING = 1e-9


@dataclass(eq=False)
class RungPruning:
    """Judges trainings of one rung by any of Optuna's pruners; its steps are ``n_steps`` equal parts of the schedule.

    ``survivors`` have finished the rung; of many, the latest and the best one are compared with. Curves are
    interpolated between epochs, since these end at other shares of the schedule for other batch sizes and speeds.
    """

    metric: Metric
    pruner: BasePruner
    survivors: Sequence[Fit]
    n_steps: int = SCHEDULE_STEPS
    _study: optuna.Study = field(init=False)
    _trials: dict[int, tuple[optuna.Trial, set[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill a study in memory with the curves of the survivors."""
        self._study = optuna.create_study(direction=self.metric.direction, pruner=self.pruner)
        for fit in self._compared():
            points = [point for before, now in _pairs(fit.curve) for point in self._between(before, now)]
            if takes_notes(self.pruner):
                self._replay(points, fit.value)
            else:
                self._study.add_trial(create_trial(value=fit.value, intermediate_values=dict(points)))

    def is_hopeless(self, number: int, curve: Curve) -> bool:
        """Tell whether the pruner would stop a training after the last point of its ``curve``."""
        if number not in self._trials:
            self._trials[number] = self._study.ask(), set()
        trial, reported = self._trials[number]
        for before, now in _pairs(curve):
            for step, value in self._between(before, now):
                if step not in reported:
                    trial.report(value, step)
                    reported.add(step)
        return bool(reported) and curve[-1][0] < 1 and trial.should_prune()

    def _compared(self) -> Sequence[Fit]:
        latest = self.survivors[-_MOST_SURVIVORS:]
        best = min(self.survivors, key=lambda fit: self.metric.loss_of(fit.value or 0.0), default=None)
        return latest if best is None or best in latest else [best, *latest[1:]]

    def _replay(self, points: Sequence[tuple[int, float]], value: float | None) -> None:
        """Add a survivor as if it were trained now: the pruner notes something when it is asked."""
        trial = self._study.ask()
        for step, at_step in points:
            trial.report(at_step, step)
            trial.should_prune()
        self._study.tell(trial, value)

    def _between(self, before: tuple[float, float] | None, now: tuple[float, float]) -> list[tuple[int, float]]:
        """Return the steps after a point of a curve up to the next one; before the first, nothing is known."""
        start, low = before or now
        end, high = now
        first = (
            math.floor(start * self.n_steps + _ROUNDING) + 1 if before else math.ceil(end * self.n_steps - _ROUNDING)
        )
        steps = range(first, math.floor(end * self.n_steps + _ROUNDING) + 1)
        slope = (high - low) / (end - start) if end > start else 0.0
        return [(step, low + slope * (step / self.n_steps - start)) for step in steps]


def _pairs(curve: Curve) -> Iterable[tuple[tuple[float, float] | None, tuple[float, float]]]:
    return zip([None, *curve], curve, strict=False)
