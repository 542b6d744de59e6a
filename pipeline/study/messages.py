"""What a worker and its coordinator tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.settings import SearchSettings
from pipeline.tracking.names import State


@dataclass(frozen=True)
class Session:
    """Everything that a worker needs to run trials of a study."""

    settings: SearchSettings
    space: SearchSpace
    storage: str
    tracking_uri: str
    experiment_id: str
    study_run_id: str
    log: Path
    threads: int


@dataclass(frozen=True)
class RunTrial:
    """Command: run a trial, until ``deadline`` (of ``time.time()``) at the latest."""

    deadline: float | None


@dataclass(frozen=True)
class Interrupt:
    """Command: end the trial at the next batch; it will be tried again."""


@dataclass(frozen=True)
class Quit:
    """Command: no further trial, end the process."""


@dataclass(frozen=True)
class Ready:
    """Event: the worker has started."""


@dataclass(frozen=True)
class StartFailed:
    """Event: the worker could not start."""

    reason: str


@dataclass(frozen=True)
class TrialStarted:
    """Event: a trial has been asked for."""

    number: int
    knobs: Knobs


@dataclass(frozen=True)
class TrialProgress:
    """Event: ``share`` of the ``epoch`` (from 1) is done; ``value`` is the metric of the one before."""

    number: int
    epoch: int
    share: float
    value: float | None


@dataclass(frozen=True)
class TrialEnded:
    """Event: a trial has ended; ``value`` is its best metric, ``val_accuracy`` its best accuracy."""

    number: int
    state: State
    value: float | None
    val_accuracy: float | None
    reason: str
    seconds: float


Event = Ready | StartFailed | TrialStarted | TrialProgress | TrialEnded
