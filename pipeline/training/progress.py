"""The progress of one training: its epochs so far, the weights of the best one, and why it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.training.checkpoint import Checkpoint
from pipeline.training.ending import Cause, Ending, OnBatch, State
from pipeline.training.metric import Metric, get_monitor
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import Epoch
from pipeline.training.scheduler import Scheduler
from pipeline.training.speed import Clock

_FITTED, _VALIDATED = ("loss", "accuracy"), ("val_loss", "val_accuracy")
_UNKNOWN = dict.fromkeys(_VALIDATED, math.nan)

OnEpoch = Callable[[Epoch], Ending | None]
"""From a finished epoch to why the training ends with it, or None."""


@dataclass
class Progress:
    """Follows a training execution by execution, and decides when it ends; ``ending`` is None while it runs.

    The best epoch goes by ``metric``, early stopping by the plan's monitor: the training ends when its patience, if it
    has any, is up after the last improvement of that. Without a ``metric`` the last epoch counts as the best.
    The training is complete where its ``scheduler`` says so, in the middle of an epoch or not.
    """

    plan: TrainingPlan
    metric: Metric | None
    scheduler: Scheduler
    on_epoch: OnEpoch = lambda epoch: None
    on_batch: OnBatch = lambda share: None
    clock: Clock = time.perf_counter
    epochs: list[Epoch] = field(default_factory=list)
    best_weights: Any = None
    ending: Ending | None = None
    _seconds_before: float = 0.0
    _start: float | None = None
    _epoch_start: float = 0.0
    _epoch_share: float = 0.0

    @property
    def best_epoch(self) -> Epoch | None:
        """The first of the best epochs by the metric; None before the first epoch."""
        if not self.epochs:
            return None
        return self.metric.best(self.epochs) if self.metric else self.epochs[-1]

    @property
    def train_seconds(self) -> float:
        """Seconds of training until now, those before a checkpoint included."""
        return self._seconds_before + (0.0 if self._start is None else self.clock() - self._start)

    @property
    def n_steps(self) -> int:
        """Training steps of the finished epochs."""
        return min(len(self.epochs) * self.scheduler.steps_per_epoch, self.scheduler.n_done)

    @property
    def should_stop(self) -> bool:
        """Whether ``fit`` is to go no further than the end of this epoch, which may not be full."""
        return self.ending is not None or self.scheduler.is_over

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Take over the epochs of a checkpoint; the training may be over with them."""
        self.epochs, self.best_weights = list(checkpoint.epochs), checkpoint.best_weights
        self._seconds_before = checkpoint.train_seconds
        n_done = min(len(self.epochs) * self.scheduler.steps_per_epoch, checkpoint.steps.n_steps)
        self.scheduler.continue_from(checkpoint.steps, n_done, checkpoint.seconds_used)
        self.ending = checkpoint.ending or self._ending_of_its_own()

    def begin(self) -> None:
        """Start the clock of the training."""
        self._start = self.clock()

    def begin_epoch(self) -> None:
        """Start the clock of an epoch."""
        self._epoch_start = self.clock()
        self.scheduler.begin_epoch()

    def end_batch(self, n_steps_done: int, logs: Mapping[str, float]) -> None:
        """Take the running figures after an execution, with which ``n_steps_done`` of the epoch are done."""
        self._check_finite("loss", logs)
        n_steps = self.scheduler.steps_per_epoch
        n_steps_done = min(n_steps, n_steps_done)  # Keras counts the last group of steps as a full one
        self._epoch_share = n_steps_done / n_steps
        if self.ending is None:
            self.ending = self.on_batch(self._epoch_share)
        self.scheduler.advance(len(self.epochs) * n_steps + n_steps_done)

    def goes_on_in_validation(self) -> bool:
        """Ask, after a group of validation batches, whether the others are still of use.

        They are not where the epoch does not count anyway, or where the training is to go on later.
        """
        if (
            self.ending is None
            and (ending := self.on_batch(self._epoch_share)) is not None
            and ending.state is State.WAITING
        ):
            self.ending = ending
        return self.ending is None

    def end_epoch(self, logs: Mapping[str, float], learning_rate: float, get_weights: Callable[[], Any]) -> None:
        """Take the figures of a finished epoch; one that was stopped midway counts where the schedule ended there."""
        self._check_finite("loss", logs)
        self._check_finite("val_loss", logs)
        if self.ending is not None:
            return
        figures = {name: float(logs[name]) for name in _FITTED + (_VALIDATED if self.metric else ())}
        seconds = self.clock() - self._epoch_start
        epoch = Epoch(
            len(self.epochs) + 1, **{**_UNKNOWN, **figures}, learning_rate=learning_rate, epoch_seconds=seconds,
            share=self.scheduler.share,
        )  # fmt: skip
        self.epochs.append(epoch)
        if self.best_epoch is epoch:
            self.best_weights = get_weights()
        self.ending = self.on_epoch(epoch) or self._ending_of_its_own()

    def _ending_of_its_own(self) -> Ending | None:
        """Return why the training ends with the last of its epochs, whatever ``on_epoch`` says."""
        n_epochs, patience, monitor = len(self.epochs), self.plan.early_stopping_patience, self._monitor
        if monitor and patience:
            improvement = monitor.last_improvement(self.epochs, self.plan.early_stopping_min_delta)
            if n_epochs - improvement.number >= patience:
                return Ending(Cause.EARLY, f"no better {monitor.name} within {patience} epochs")
        is_over = n_epochs >= self.plan.epochs or self.scheduler.is_over
        return Ending(Cause.COMPLETE) if is_over else None

    @property
    def _monitor(self) -> Metric | None:
        name = self.plan.early_stopping_monitor
        return self.metric if name == "auto" else get_monitor(name)

    def _check_finite(self, name: str, logs: Mapping[str, float]) -> None:
        """Note that the training diverged; an earlier reason to end stands."""
        if self.ending is None and not math.isfinite(logs.get(name, 0.0)):
            self.ending = Ending(Cause.DIVERGED, f"{name} became {logs[name]} in epoch {len(self.epochs) + 1}")
