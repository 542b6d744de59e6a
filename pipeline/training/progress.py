"""The progress of one training: its epochs so far, the weights of the best one, and why it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.training.checkpoint import Checkpoint
from pipeline.training.ending import Cause, Ending, OnBatch
from pipeline.training.metric import Metric, get_monitor
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import Epoch

_FITTED, _VALIDATED = ("loss", "accuracy"), ("val_loss", "val_accuracy")
_UNKNOWN = dict.fromkeys(_VALIDATED, math.nan)

OnEpoch = Callable[[Epoch], Ending | None]
"""From a finished epoch to why the training ends with it, or None."""


@dataclass
class Progress:
    """Follows a training batch by batch, and decides when it ends; ``ending`` is None while it runs.

    The best epoch goes by ``metric``, early stopping by the plan's monitor: the training ends when its patience, if it
    has any, is up after the best epoch of that. Without a ``metric`` the last epoch counts as the best.
    The training is paused after ``until_epoch``, where that is not the last one.
    """

    plan: TrainingPlan
    metric: Metric | None
    n_steps: int
    on_epoch: OnEpoch = lambda epoch: None
    on_batch: OnBatch = lambda share: None
    until_epoch: int | None = None
    epochs: list[Epoch] = field(default_factory=list)
    best_weights: Any = None
    ending: Ending | None = None
    _seconds_before: float = 0.0
    _start: float | None = None
    _epoch_start: float = 0.0

    @property
    def best_epoch(self) -> Epoch | None:
        """The first of the best epochs by the metric; None before the first epoch."""
        if not self.epochs:
            return None
        return self.metric.best(self.epochs) if self.metric else self.epochs[-1]

    @property
    def train_seconds(self) -> float:
        """Seconds of training until now, those before a checkpoint included."""
        return self._seconds_before + (0.0 if self._start is None else time.perf_counter() - self._start)

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Take over the epochs of a checkpoint; the training may be over with them."""
        self.epochs, self.best_weights = list(checkpoint.epochs), checkpoint.best_weights
        self._seconds_before = checkpoint.train_seconds
        self.ending = checkpoint.ending or self._ending_of_its_own()

    def begin(self) -> None:
        """Start the clock of the training."""
        self._start = time.perf_counter()

    def begin_epoch(self) -> None:
        """Start the clock of an epoch."""
        self._epoch_start = time.perf_counter()

    def end_batch(self, n_steps_done: int, logs: Mapping[str, float]) -> None:
        """Take the running figures after a training step."""
        self._check_finite("loss", logs)
        share = min(1.0, n_steps_done / self.n_steps)  # Keras counts the last group of steps as a full one
        if self.ending is None:
            self.ending = self.on_batch(share)

    def end_epoch(self, logs: Mapping[str, float], learning_rate: float, get_weights: Callable[[], Any]) -> None:
        """Take the figures of a finished epoch; one that was stopped midway is not counted."""
        self._check_finite("loss", logs)
        self._check_finite("val_loss", logs)
        if self.ending is not None:
            return
        figures = {name: float(logs[name]) for name in _FITTED + (_VALIDATED if self.metric else ())}
        seconds = time.perf_counter() - self._epoch_start
        epoch = Epoch(
            len(self.epochs) + 1, **{**_UNKNOWN, **figures}, learning_rate=learning_rate, epoch_seconds=seconds
        )  # fmt: skip
        self.epochs.append(epoch)
        if self.best_epoch is epoch:
            self.best_weights = get_weights()
        self.ending = self.on_epoch(epoch) or self._ending_of_its_own()

    def _ending_of_its_own(self) -> Ending | None:
        """Return why the training ends with the last of its epochs, whatever ``on_epoch`` says."""
        n_epochs, patience, monitor = len(self.epochs), self.plan.early_stopping_patience, self._monitor
        if monitor and patience and n_epochs - monitor.best(self.epochs).number >= patience:
            return Ending(Cause.EARLY, f"no better {monitor.name} within {patience} epochs")
        if n_epochs >= self.plan.epochs:
            return Ending(Cause.COMPLETE)
        return Ending(Cause.PAUSED) if self.until_epoch is not None and n_epochs >= self.until_epoch else None

    @property
    def _monitor(self) -> Metric | None:
        name = self.plan.early_stopping_monitor
        return self.metric if name == "auto" else get_monitor(name)

    def _check_finite(self, name: str, logs: Mapping[str, float]) -> None:
        """Note that the training diverged; an earlier reason to end stands."""
        if self.ending is None and not math.isfinite(logs.get(name, 0.0)):
            self.ending = Ending(Cause.DIVERGED, f"{name} became {logs[name]} in epoch {len(self.epochs) + 1}")
