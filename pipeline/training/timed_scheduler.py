"""A schedule that ends when a training's seconds are over, whatever its speed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pipeline.training.budget import Knot, StepSchedule, share_between
from pipeline.training.scheduler import Scheduler, execution_end
from pipeline.training.speed import Speed

_MOST_APART = 0.01  # knots, as a share of the steps
_CLOSER_AT_THE_ENDS = 4  # knots lie this much closer than they are to the schedule's beginning or end
_LEAST_TAIL_OF_EPOCH, _LEAST_TAIL_OF_TRAINING = 0.1, 0.03  # steps that are worth an epoch, as shares


@dataclass
class TimedScheduler(Scheduler):
    """Lays the knots one ahead: at each, the last step is predicted anew from the seconds left and the speed.

    From there the share advances linearly to 1 at that step, until the next knot. At first, and until the speed is
    measured, it advances as if ``most_steps`` were trained.
    """

    knots: list[Knot] = field(default_factory=lambda: [(0, 0.0)])
    most_steps: int = field(kw_only=True)
    speed: Speed = field(kw_only=True)
    _is_first_epoch: bool = True

    def __post_init__(self) -> None:
        self.knots.append(self._knot_towards(self.most_steps))

    @property
    def seconds_used(self) -> float:
        """Seconds that count against the budget."""
        return self.speed.seconds_used

    def continue_from(self, steps: StepSchedule, n_done: int, seconds_used: float) -> None:
        """Go on after ``n_done`` steps along the knots of ``steps``, with what is left of the seconds."""
        self.n_done, self.knots = n_done, list(steps.knots)
        self.speed.seconds_before = seconds_used

    def begin_epoch(self) -> None:
        """Note that an epoch begins."""
        self.speed.begin_epoch(is_first=self._is_first_epoch)
        self._is_first_epoch = False

    def advance(self, n_done: int) -> None:
        """Note the end of an execution, and where it ends at the last knot, lay the next one."""
        self.speed.end_execution(n_done - self.n_done)
        self.n_done = n_done
        if self.is_over and self.share < 1:
            self.knots.append(self._knot_towards(self._predicted_end()))

    def _knot_towards(self, end: int) -> Knot:
        apart = min(_MOST_APART * end, min(self.n_done, end - self.n_done) / _CLOSER_AT_THE_ENDS)
        step = self._execution_end(self.n_done + max(1, round(apart)))
        if step >= end:
            return end, 1.0
        share = self.share if self.n_done else 0.0
        return step, share_between((self.n_done, share), (end, 1.0), step)

    def _predicted_end(self) -> int:
        """Return the end of an execution, after the present one, that the seconds or the epochs end with."""
        end = min(self._end_by_time(), self.most_steps)
        end -= self._tail_to_leave_out(end)
        return max(self._nearest_execution_end(end), self._execution_end(self.n_done + 1))

    def _end_by_time(self) -> int:
        """Return the step that the training has come to when its seconds are over, those of validation counted."""
        step_seconds, epoch_end = self.speed.step_seconds, self.speed.epoch_end_seconds
        if step_seconds is None:
            return self._end_as_before()
        if step_seconds <= 0:
            return self.most_steps
        n_left = -self.n_done % self.steps_per_epoch
        after_epoch = self.speed.seconds_left - n_left * step_seconds - epoch_end
        if after_epoch <= 0:
            return self.n_done + max(0, math.floor(n_left + after_epoch / step_seconds))
        around_epoch = self.speed.epoch_begin_seconds + epoch_end
        n_epochs, rest = divmod(after_epoch, self.steps_per_epoch * step_seconds + around_epoch)
        n_last = max(0, math.floor((rest - around_epoch) / step_seconds))
        return self.n_done + n_left + int(n_epochs) * self.steps_per_epoch + n_last

    def _end_as_before(self) -> int:
        """Return the end that the last piece leads to."""
        (start, share), (end, end_share) = self.piece
        return end + round((1 - end_share) * (end - start) / (end_share - share))

    def _tail_to_leave_out(self, end: int) -> int:
        """Return the steps by which ``end`` lies too little after the end of an epoch to be worth another one."""
        tail = end % self.steps_per_epoch
        least = min(_LEAST_TAIL_OF_EPOCH * self.steps_per_epoch, _LEAST_TAIL_OF_TRAINING * end)
        return tail if tail < least and end - tail > self.n_done else 0

    def _nearest_execution_end(self, step: int) -> int:
        later = self._execution_end(step)
        is_near = later - step <= self.steps_per_execution / 2
        return later if is_near else self._execution_end(max(0, step - self.steps_per_execution))

    def _execution_end(self, step: int) -> int:
        return execution_end(
            step, steps_per_epoch=self.steps_per_epoch, steps_per_execution=self.steps_per_execution
        )  # fmt: skip
