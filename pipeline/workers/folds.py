"""The trainings of one configuration on its splits: which of them count, whose network is kept, how it all ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.data.image_set import ImageSet
from pipeline.evaluation.assessment import Assessment, Fold
from pipeline.evaluation.scores import Predictions, predict
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import Metric
from pipeline.training.result import Epoch, TrainingResult

COMPLETE = Ending(Cause.COMPLETE)


@dataclass(frozen=True)
class Outcome:
    """How a job ended, and its best epoch: the mean of its folds' where there are several.

    ``figures`` are the single ones of its run, ``scores`` those of the validation images, packed.
    """

    ending: Ending
    best: Epoch | None
    figures: Mapping[str, float] = field(default_factory=dict)
    scores: str = ""


@dataclass
class Folds:
    """Gathers the trainings on each of ``n_folds`` splits.

    A fold that was not finished does not count, since its best epoch cannot be compared with the others'; the
    only one of a single split does, by the epochs that it finished.
    """

    n_folds: int
    metric: Metric
    ending: Ending = COMPLETE
    network: Any = None
    _taken: list[Fold] = field(default_factory=list)
    _best: Fold | None = None

    @property
    def is_over(self) -> bool:
        """Whether no further fold should be trained."""
        return not self.ending.is_finish

    @property
    def n_taken(self) -> int:
        """How many trainings count."""
        return len(self._taken)

    @property
    def last_best_epoch(self) -> Epoch:
        """The best epoch of the fold that was taken last."""
        return self._taken[-1].best_epoch

    def assessment(self) -> Assessment:
        """Return the assessment of the folds that count; there must be one."""
        assert self._best is not None
        return Assessment(tuple(self._taken), self.n_folds, self._best.number)

    def take(self, result: TrainingResult, bound: BoundConfiguration) -> bool:
        """Take the training on the next split; return whether it counts."""
        number, best = self.n_taken + 1, result.best_epoch
        self.ending = self._with_fold(result.ending, number)
        is_waiting = result.ending.state is State.WAITING
        if best is None or is_waiting or not (result.ending.is_finish or self.n_folds == 1):
            return False
        validation = bound.split.validation
        judged, fitted = (
            _predict(result.network, part) for part in (validation, bound.split.sample_training(len(validation.labels)))
        )
        images = bound.images.validation.images
        fold = Fold(number, replace(result, network=None), best, judged, images, fitted)
        self._keep(fold, bound, result.network)
        return True

    def stop(self, ending: Ending | None) -> None:
        """End the whole after the fold that was taken last, for a reason that is given."""
        if ending is not None and not self.is_over:
            self.ending = ending

    def outcome(self) -> Outcome:
        """Return how the job ended; where the time was up before there was anything to show, it waits."""
        best = None if self._best is None else self.assessment().best_epoch
        if self.ending.cause is Cause.TIME_UP and best is None:
            unit = "epoch" if self.n_folds == 1 else "fold"
            return Outcome(Ending(Cause.PAUSED, f"time up before the first {unit} was over"), None)
        return Outcome(self.ending, best)

    def _keep(self, fold: Fold, bound: BoundConfiguration, network: Any) -> None:
        """Keep a fold, and of all networks the best alone: a device may not hold more."""
        self._taken.append(fold)
        if self._best is None or self.metric.is_better(self._value(fold), self._value(self._best)):
            self._best, self.network = fold, bound.finish(network)

    def _value(self, fold: Fold) -> float:
        return self.metric.of(fold.best_epoch)

    def _with_fold(self, ending: Ending, number: int) -> Ending:
        if self.n_folds == 1:
            return ending
        return replace(ending, detail=f"{ending.detail}, fold {number} of {self.n_folds}".removeprefix(", "))


def _predict(network: Any, part: ImageSet) -> Predictions:
    return predict(network, part.images, part.labels, part.class_names)
