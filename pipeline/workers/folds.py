"""The trainings of one configuration, as they come: which of them count, whose network is kept, why they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.evaluation.assessment import Assessment, Fold
from pipeline.evaluation.scores import predict
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.ending import Cause, State
from pipeline.training.metric import Metric
from pipeline.training.result import Epoch, TrainingResult

JudgeFold = Callable[[int, Epoch], str | None]
"""From a finished fold's number, from 1, and its best epoch to a reason to prune, or None."""


@dataclass
class Folds:
    """Gathers the trainings on each of ``n_folds`` splits.

    A fold that did not come to its end does not count, for its best epoch cannot be compared with the others'; the
    only one of a single split does, by the epochs that it finished.
    """

    n_folds: int
    metric: Metric
    judge: JudgeFold
    ending: Cause = Cause.COMPLETE
    reason: str = ""
    network: Any = None
    _taken: list[Fold] = field(default_factory=list)
    _best: Fold | None = None

    @property
    def is_over(self) -> bool:
        """Whether no further fold should be trained."""
        return self.ending.state is not State.COMPLETE

    @property
    def n_taken(self) -> int:
        """How many trainings count."""
        return len(self._taken)

    @property
    def best_epoch(self) -> Epoch | None:
        """The mean of the folds' best epochs, where there is one."""
        return None if self._best is None else self.assessment().best_epoch

    def assessment(self) -> Assessment:
        """Return what the configuration has come to; one training or more must count."""
        assert self._best is not None
        return Assessment(tuple(self._taken), self.n_folds, self._best.number)

    def take(self, result: TrainingResult, bound: BoundConfiguration) -> None:
        """Take the training on the next split."""
        number, best = self.n_taken + 1, result.best_epoch
        self.ending, self.reason = result.ending.cause, self._reason(result, number)
        if best is None or not (result.ending.is_finish or self.n_folds == 1):
            return
        seen = bound.split.validation
        predictions = predict(result.network, seen.images, seen.labels, seen.class_names)
        images = bound.images.validation.images
        self._keep(Fold(number, replace(result, network=None), best, predictions, images), bound, result.network)
        if not self.is_over and (reason := self.judge(number, best)) is not None:
            self.ending, self.reason = Cause.PRUNED, reason

    def _keep(self, fold: Fold, bound: BoundConfiguration, network: Any) -> None:
        """Keep a fold, and of all networks the best alone: a device may not hold more."""
        self._taken.append(fold)
        if self._best is None or self.metric.is_better(self._value(fold), self._value(self._best)):
            self._best, self.network = fold, bound.finish(network)

    def _value(self, fold: Fold) -> float:
        return float(getattr(fold.best_epoch, self.metric.name))

    def _reason(self, result: TrainingResult, number: int) -> str:
        if self.n_folds == 1:
            return result.ending.detail
        return f"{result.ending.detail}, fold {number} of {self.n_folds}".removeprefix(", ")
