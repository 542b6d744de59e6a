"""How trainings end: why, and what that makes of a trial in Optuna and of its run in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a trial stands, in Optuna's words; one that waits goes on where it was when a worker is free."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    WAITING = "WAITING"

    @property
    def run_status(self) -> str:
        """The MLflow status of a run in this state."""
        return {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED", "WAITING": "SCHEDULED"}[self.value]


class Cause(StrEnum):
    """Why a training ended."""

    COMPLETE = "complete"
    EARLY = "early stopping"
    OVER_LIMIT = "over a limit"  # it was completed, but its network is not what the search is for
    PRUNED = "pruned"
    DIVERGED = "diverged"
    TIME_UP = "time up"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    DISK_FULL = "disk full"
    FAILED = "failed"

    @property
    def state(self) -> State:
        """The state of a trial whose training ended so."""
        return _STATES[self]


_STATES = {
    Cause.COMPLETE: State.COMPLETE,
    Cause.EARLY: State.COMPLETE,
    Cause.OVER_LIMIT: State.COMPLETE,
    Cause.PRUNED: State.PRUNED,
    Cause.DIVERGED: State.PRUNED,
    Cause.TIME_UP: State.PRUNED,
    Cause.PAUSED: State.WAITING,
    Cause.INTERRUPTED: State.WAITING,
    Cause.DISK_FULL: State.WAITING,
    Cause.FAILED: State.FAIL,
}


@dataclass(frozen=True)
class Ending:
    """The end of a training: its cause, and a detail for people."""

    cause: Cause
    detail: str = ""

    @property
    def state(self) -> State:
        """The state of the trial."""
        return self.cause.state

    @property
    def is_finish(self) -> bool:
        """Whether the training came to its own end."""
        return self.state is State.COMPLETE

    @property
    def reason(self) -> str:
        """The reason in a line; empty where the training was completed as wanted, and a failure is its own reason."""
        if self.cause is Cause.FAILED:
            return self.detail
        return "" if self.cause is Cause.COMPLETE else f"{self.cause}: {self.detail}".removesuffix(": ")


OnBatch = Callable[[float], Ending | None]
"""From the share that is done, of an epoch or of the work before the first, to why the training stops, or None."""


class TrainingStopped(Exception):  # noqa: N818 - no error, and no line of the command line
    """A training that was asked to stop before its first epoch; ``ending`` says why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending
