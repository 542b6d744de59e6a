"""The speed of a training: seconds of a step and of what follows an epoch, as measured until now."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""From nothing to seconds since some moment."""

_MEMORY_SHARE = 0.1  # of the budget: the time after which a measurement has lost two thirds of its weight
_VALIDATION_COST = 0.4  # of an image, in that of a training image: forward only
_TRACING_COST = 0.3  # of the validation's graph, in that of the training's


@dataclass
class Speed:
    """Measures a training that has ``seconds``; they run from the end of the first execution on.

    ``validation_share`` is the number of validation images over that of training images: what validation takes is
    estimated by it until it has been measured. ``seconds_before`` are those used before a checkpoint.
    ``epoch_begin_seconds`` are those that the last epoch's first execution took above the others: batches are set up.
    """

    seconds: float
    validation_share: float
    steps_per_epoch: int
    clock: Clock = time.perf_counter
    seconds_before: float = 0.0
    _start: float | None = None
    _last: float = 0.0
    _first_seconds: float = 0.0
    _train_seconds: float = 0.0
    _train_steps: float = 0.0
    _between_epochs: float | None = None
    _begins_epoch: bool = False
    epoch_begin_seconds: float = 0.0

    @property
    def seconds_used(self) -> float:
        """Seconds of the budget that are used up to now."""
        return self.seconds_before + (0.0 if self._start is None else self.clock() - self._start)

    @property
    def seconds_left(self) -> float:
        """Seconds of the budget that are left; below 0 where it was overdrawn."""
        return self.seconds - self.seconds_used

    @property
    def step_seconds(self) -> float | None:
        """Seconds of a training step, by the last ones above all; None before the second execution has ended."""
        return self._train_seconds / self._train_steps if self._train_steps else None

    @property
    def epoch_end_seconds(self) -> float:
        """Seconds from an epoch's last step to the next one's beginning, as of the last epoch: validation above all."""
        if self._between_epochs is not None:
            return self._between_epochs
        if not self.validation_share:
            return 0.0
        epoch_seconds = (self.step_seconds or 0.0) * self.steps_per_epoch
        return _VALIDATION_COST * self.validation_share * epoch_seconds + self._tracing_seconds

    @property
    def _tracing_seconds(self) -> float:
        """Estimated seconds of the first validation above those of the others."""
        return _TRACING_COST * self._first_seconds

    def begin_epoch(self, *, is_first: bool) -> None:
        """Take the time between two epochs; ``is_first`` says that this process has had none before."""
        now = self.clock()
        if not is_first:
            between = now - self._last
            is_traced = self._between_epochs is None  # the first validation is, and the next ones are faster
            self._between_epochs = between - (min(between / 2, self._tracing_seconds) if is_traced else 0.0)
        self._last, self._begins_epoch = now, True

    def end_execution(self, n_steps: int) -> None:
        """Take the time of ``n_steps`` that were executed at once."""
        now = self.clock()
        seconds, self._last = now - self._last, now
        if self._start is None:
            self._start, self._first_seconds = now, seconds
            return
        if self._begins_epoch and self.step_seconds is not None:
            self.epoch_begin_seconds = max(0.0, seconds - n_steps * self.step_seconds)
            seconds -= self.epoch_begin_seconds
        self._begins_epoch = False
        kept = math.exp(-seconds / (_MEMORY_SHARE * self.seconds))
        self._train_seconds = self._train_seconds * kept + seconds
        self._train_steps = self._train_steps * kept + n_steps
