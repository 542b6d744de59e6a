"""What a training leaves: its epochs, its best one, why it ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median_low
from typing import Any

from pipeline.training.budget import StepSchedule
from pipeline.training.ending import Ending

_NO_METRICS = ("number", "share")


@dataclass(frozen=True)
class Epoch:
    """One epoch; ``number`` counts from 1. Without validation images, their figures are no numbers (NaN).

    ``share`` is that of the learning-rate schedule which is done at its end.
    """

    number: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    epoch_seconds: float
    share: float = math.nan

    def metrics(self) -> dict[str, float]:
        """Return the epoch's metrics by name, without those that it has not."""
        return {name: value for name, value in vars(self).items() if name not in _NO_METRICS and not math.isnan(value)}

    @property
    def is_validated(self) -> bool:
        """Whether it has figures of validation images."""
        return not math.isnan(self.val_loss)


def mean_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Return the mean of epochs, figure by figure; its number is their median, the lower of two."""
    names = [name for name in vars(epochs[0]) if name != "number"]
    figures = {name: fmean(getattr(epoch, name) for epoch in epochs) for name in names}
    return Epoch(median_low(epoch.number for epoch in epochs), **figures)


def mean_curve(curves: Iterable[Sequence[Epoch]]) -> tuple[Epoch, ...]:
    """Return the means of the epochs that all curves have: a mean over some of them would jump where others end."""
    return tuple(mean_epoch(same) for same in zip(*curves, strict=False))


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A network that has been trained, with the weights of its best epoch (None where no epoch was finished).

    ``steps`` are those of the finished epochs, with the schedule that they had.
    """

    network: Any
    epochs: tuple[Epoch, ...]
    best_epoch: Epoch | None
    ending: Ending
    train_seconds: float
    images_per_second: float
    steps: StepSchedule
