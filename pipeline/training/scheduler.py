"""Where a training stands in its learning-rate schedule, and where that ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from pipeline.training.budget import Knot, StepSchedule, share_between

Piece = tuple[Knot, Knot]
"""A straight piece of a schedule, from knot to knot."""


@dataclass
class Scheduler:
    """Follows a training execution by execution along ``knots``, which are known from the start.

    An execution is a group of steps, of which the last one of an epoch may have fewer.
    """

    steps_per_epoch: int
    steps_per_execution: int
    knots: list[Knot]
    n_done: int = 0

    @property
    def steps(self) -> StepSchedule:
        """The schedule as far as it is known."""
        return StepSchedule(self.steps_per_epoch, tuple(self.knots))

    @property
    def piece(self) -> Piece:
        """The piece that the next step is on; after the end the last one."""
        pieces = list(pairwise(self.knots))
        return next((piece for piece in pieces if self.n_done < piece[1][0]), pieces[-1])

    @property
    def share(self) -> float:
        """Share of the schedule that is done."""
        return share_between(*self.piece, min(self.n_done, self.knots[-1][0]))

    @property
    def is_over(self) -> bool:
        """Whether the training has come to the schedule's end."""
        return self.n_done >= self.knots[-1][0]

    @property
    def seconds_used(self) -> float:
        """Seconds that count against a budget of seconds."""
        return 0.0

    def continue_from(self, steps: StepSchedule, n_done: int, seconds_used: float) -> None:
        """Go on after ``n_done`` steps; those that were left by then follow from the budget again."""
        self.n_done = n_done

    def begin_epoch(self) -> None:
        """Note that an epoch begins."""

    def advance(self, n_done: int) -> None:
        """Note the end of an execution, after ``n_done`` steps of the training."""
        self.n_done = n_done


def execution_end(step: int, *, steps_per_epoch: int, steps_per_execution: int) -> int:
    """Return the first end of an execution at or after ``step``."""
    before = step // steps_per_epoch * steps_per_epoch
    in_epoch = math.ceil((step - before) / steps_per_execution) * steps_per_execution
    return before + min(in_epoch, steps_per_epoch)
