"""The course of one training: what its epochs were, which was the best, and why it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.training.metric import Metric
from pipeline.training.result import Ending, Epoch

_FITTED, _VALIDATED = ("loss", "accuracy"), ("val_loss", "val_accuracy")
_UNKNOWN = dict.fromkeys(_VALIDATED, math.nan)

OnEpoch = Callable[[Epoch], str | None]
OnBatch = Callable[[float], Ending | None]


@dataclass
class Course:
    """Follows a training batch by batch, and decides when it should stop.

    The best epoch goes by ``metric``, early stopping by ``monitor``: it ends ``patience`` epochs after the best of it.
    Without validation images both are None, and the last epoch counts as the best.
    ``on_epoch`` gets each finished epoch and returns a reason to prune, or None; ``on_batch`` gets the share of the
    epoch that is done and returns why to stop, or None. A ``patience`` of 0 never stops.
    """

    metric: Metric | None
    monitor: Metric | None
    patience: int
    n_steps: int
    on_epoch: OnEpoch
    on_batch: OnBatch
    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: Epoch | None = None
    best_weights: Any = None
    ending: Ending = Ending.COMPLETE
    reason: str = ""
    _best_monitored: Epoch | None = None
    _epoch_start: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the training should stop."""
        return self.ending is not Ending.COMPLETE

    def begin_epoch(self) -> None:
        """Start the clock of an epoch."""
        self._epoch_start = time.perf_counter()

    def end_batch(self, n_steps_done: int, logs: Mapping[str, float]) -> None:
        """Take the running figures after a training step."""
        self._check_finite("loss", logs)
        share = min(1.0, n_steps_done / self.n_steps)  # Keras counts the last group of steps as a full one
        if not self.is_over and (ending := self.on_batch(share)) is not None:
            self._end(ending, "")

    def end_epoch(self, logs: Mapping[str, float], learning_rate: float, get_weights: Callable[[], Any]) -> None:
        """Take the figures of a finished epoch; one that was stopped midway is not counted."""
        self._check_finite("loss", logs)
        self._check_finite("val_loss", logs)
        if self.is_over:
            return
        figures = {name: float(logs[name]) for name in _FITTED + (_VALIDATED if self.metric else ())}
        seconds = time.perf_counter() - self._epoch_start
        epoch = Epoch(
            len(self.epochs) + 1, **{**_UNKNOWN, **figures}, learning_rate=learning_rate, epoch_seconds=seconds
        )  # fmt: skip
        self.epochs.append(epoch)
        if _is_better(self.metric, epoch, self.best_epoch):
            self.best_epoch, self.best_weights = epoch, get_weights()
        if _is_better(self.monitor, epoch, self._best_monitored):
            self._best_monitored = epoch
        self._judge(epoch)

    def _judge(self, epoch: Epoch) -> None:
        if (reason := self.on_epoch(epoch)) is not None:
            self._end(Ending.PRUNED, reason)
        elif self.monitor and self.patience and self._n_epochs_since_best(epoch) >= self.patience:
            self._end(Ending.EARLY, f"no better {self.monitor.name} within {self.patience} epochs")

    def _n_epochs_since_best(self, epoch: Epoch) -> int:
        return epoch.number - self._best_monitored.number if self._best_monitored else 0

    def _check_finite(self, name: str, logs: Mapping[str, float]) -> None:
        if not math.isfinite(logs.get(name, 0.0)):
            self._end(Ending.DIVERGED, f"{name} became {logs[name]} in epoch {len(self.epochs) + 1}")

    def _end(self, ending: Ending, reason: str) -> None:
        """Note why the training ends; the first reason stands."""
        if not self.is_over:
            self.ending, self.reason = ending, reason


def _is_better(metric: Metric | None, epoch: Epoch, than: Epoch | None) -> bool:
    if metric is None:
        return True
    return metric.is_better(getattr(epoch, metric.name), None if than is None else getattr(than, metric.name))
