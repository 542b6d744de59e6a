"""The time that a study may take, over all commands that search it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import optuna

SPENT = "seconds_spent"  # an attribute of the study
_SECONDS_BETWEEN_WRITES = 5.0


@dataclass
class TimeLimit:
    """``seconds`` of a study in all (None: no limit), counted from ``start``, the start of this command.

    What earlier commands have spent is an attribute of the study; a killed one loses no more than a few seconds of it.
    """

    seconds: float | None
    start: float
    spent_before: float = 0.0
    clock: Callable[[], float] = time.time
    _last_write: float = 0.0

    @classmethod
    def of(cls, study: optuna.Study, *, minutes: float | None, start: float) -> TimeLimit:
        """Return the limit of a study, with what was spent of it already."""
        return cls(None if minutes is None else 60 * minutes, start, float(study.user_attrs.get(SPENT, 0.0)))

    @property
    def spent(self) -> float:
        """Seconds that were spent so far."""
        return self.spent_before + self.clock() - self.start

    @property
    def left(self) -> float:
        """Seconds that are left; infinite where there is no limit."""
        return float("inf") if self.seconds is None else self.seconds - self.spent

    def deadline(self, *, grace_seconds: float = 0.0) -> float | None:
        """Return when trainings are cut off, as ``time.time()`` counts; None where there is no limit."""
        return None if self.seconds is None else self.start + self.seconds + grace_seconds - self.spent_before

    def record(self, study: optuna.Study, *, at_once: bool = False) -> None:
        """Keep in the study what was spent, every few seconds or at once."""
        if at_once or self.clock() - self._last_write >= _SECONDS_BETWEEN_WRITES:
            self._last_write = self.clock()
            study.set_user_attr(SPENT, round(self.spent, 2))
