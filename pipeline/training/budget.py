"""What one training may use, and how its learning-rate schedule advanced over its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Knot = tuple[int, float]
"""Training steps done, and the share of the schedule that is done with them."""


@dataclass(frozen=True)
class StepSchedule:
    """How the learning-rate schedule advanced over training steps: piecewise linear between ``knots``.

    The first knot is (0, 0.0); the last one is (n, 1.0) where the schedule was finished after n steps.
    """

    steps_per_epoch: int
    knots: tuple[Knot, ...]

    @classmethod
    def of_epochs(cls, n_epochs: int, steps_per_epoch: int) -> StepSchedule:
        """Return the schedule that advances evenly over whole epochs."""
        return cls(steps_per_epoch, ((0, 0.0), (n_epochs * steps_per_epoch, 1.0)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StepSchedule:
        """Return the schedule that ``to_dict`` wrote."""
        knots = tuple((int(step), float(share)) for step, share in values["knots"])
        return cls(int(values["steps_per_epoch"]), knots)

    def to_dict(self) -> dict[str, Any]:
        """Return the schedule as JSON takes it; Python reads the same floats back."""
        return {"steps_per_epoch": self.steps_per_epoch, "knots": [list(knot) for knot in self.knots]}

    @property
    def n_steps(self) -> int:
        """Training steps until the last knot."""
        return self.knots[-1][0]

    @property
    def n_epochs(self) -> int:
        """Epochs until the last knot, an epoch that is not full counted as one."""
        return math.ceil(self.n_steps / self.steps_per_epoch)

    def share_at(self, step: int) -> float:
        """Return the share of the schedule that is done after ``step`` training steps."""
        for piece in pairwise(self.knots):
            if step < piece[1][0]:
                return share_between(*piece, step)
        return self.knots[-1][1]

    def is_whole(self, n_epochs: int) -> bool:
        """Tell whether it is that of ``n_epochs`` whole epochs, or a first part of it."""
        share = self.n_steps / (n_epochs * self.steps_per_epoch)
        return len(self.knots) <= 2 and math.isclose(share, self.knots[-1][1])

    def until(self, n_steps: int) -> StepSchedule:
        """Return its part until ``n_steps``, where these are fewer."""
        if n_steps >= self.n_steps:
            return self
        knots = tuple(knot for knot in self.knots if knot[0] < n_steps) if n_steps else ()
        return StepSchedule(self.steps_per_epoch, (*knots, (n_steps, self.share_at(n_steps))))

    def at(self, steps_per_epoch: int) -> StepSchedule:
        """Return the same positions in epochs for epochs of another number of steps."""
        if steps_per_epoch == self.steps_per_epoch:
            return self
        n_steps = max(1, round(self.n_steps * steps_per_epoch / self.steps_per_epoch))
        return StepSchedule(steps_per_epoch, self._stretched(n_steps))

    def ending_at(self, n_steps: int) -> StepSchedule:
        """Return the schedule squeezed or stretched to ``n_steps``, of one or more."""
        return self if n_steps == self.n_steps else StepSchedule(self.steps_per_epoch, self._stretched(n_steps))

    def _stretched(self, n_steps: int) -> tuple[Knot, ...]:
        """Return the knots moved evenly, so that the last one is at ``n_steps``; of two at one step, the later."""
        moved = [(round(step * n_steps / max(1, self.n_steps)), share) for step, share in self.knots[1:]]
        return ((0, 0.0), *sorted(dict(knot for knot in moved if knot[0] > 0).items()))


@dataclass(frozen=True)
class Budget:
    """What one training may use; the plan's epochs are the most in any case.

    ``epochs`` are whole ones, which the schedule spans. With ``seconds`` the schedule ends when they are over, in the
    middle of an epoch or not: they are those of steps and validation, from the end of the first execution on, since
    that compiles the network. Those before a checkpoint count, unless the seconds are ``from_now``. ``steps`` repeat an
    earlier training's steps exactly, and stand alone.
    """

    epochs: int | None = None
    seconds: float | None = None
    from_now: bool = False
    steps: StepSchedule | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and (self.epochs is not None or self.seconds is not None):
            raise ValueError(f"a budget of steps stands alone, got {self}; leave out epochs and seconds")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"a budget's epochs must be 1 or more, got {self.epochs}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"a budget's seconds must be a number above 0, got {self.seconds}")

    def n_epochs(self, most: int) -> int:
        """Return the most epochs that a training takes whose plan has ``most``."""
        own = self.epochs if self.steps is None else self.steps.n_epochs
        return most if own is None else min(most, own)


def share_between(start: Knot, end: Knot, step: int) -> float:
    """Return the share of the schedule at ``step``, on the line through two knots."""
    return start[1] + (step - start[0]) / (end[0] - start[0]) * (end[1] - start[1])
