"""Metrics of each epoch: name and direction travel together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, TypeVar

from pipeline.errors import SettingError, did_you_mean
from pipeline.training.result import Epoch

T = TypeVar("T")


@dataclass(frozen=True)
class Metric:
    """A metric of each epoch, and which way is better."""

    name: str
    direction: Literal["maximize", "minimize"]

    @property
    def of_training(self) -> str:
        """Name of the same figure for training images, predicted as validation images are."""
        return f"train_{self.name.removeprefix('val_')}"

    def of(self, epoch: Epoch) -> float:
        """Return the metric of an epoch."""
        return float(getattr(epoch, self.name))

    def is_better(self, value: float, than: float | None) -> bool:
        """Tell whether ``value`` beats ``than``; anything beats None."""
        if than is None:
            return True
        return value > than if self.direction == "maximize" else value < than

    def loss_of(self, value: float) -> float:
        """Return ``value`` with its sign such that less is better."""
        return -value if self.direction == "maximize" else value

    def error_of(self, value: float) -> float:
        """Return what is left to improve: the share of wrong answers, or the loss."""
        return 1 - value if self.direction == "maximize" else value

    def best(self, epochs: Sequence[T]) -> T:
        """Return the first of those epochs, one or more, whose figure of this name is the best."""
        choose = max if self.direction == "maximize" else min
        return choose(epochs, key=attrgetter(self.name))

    def last_improvement(self, epochs: Sequence[T], min_delta: float) -> T:
        """Return the last of the epochs, one or more, that bettered the improvement before it by over ``min_delta``."""
        improvement, *later = epochs
        for epoch in later:
            gain = self._loss(improvement) - self._loss(epoch)
            improvement = epoch if gain > min_delta else improvement
        return improvement

    def _loss(self, epoch: object) -> float:
        return self.loss_of(float(getattr(epoch, self.name)))


_METRICS = {
    "val_accuracy": Metric("val_accuracy", "maximize"),
    "val_loss": Metric("val_loss", "minimize"),
}
_MONITORS = {
    **_METRICS,
    "accuracy": Metric("accuracy", "maximize"),
    "loss": Metric("loss", "minimize"),
}


def get_metric(name: str) -> Metric:
    """Return the metric called ``name`` for a study to optimize.

    Raises:
        SettingError: there is no such metric; the message lists those that there are.
    """
    if name not in _METRICS:
        raise SettingError(f"metric must be one that every epoch has, got '{name}'; {did_you_mean(name, _METRICS)}")
    return _METRICS[name]


def get_monitor(name: str) -> Metric:
    """Return the metric called ``name`` for a training to watch: one of a study, or of the training images."""
    return _MONITORS[name]
