"""What a worker and its coordinator tell each other; a training is known by a number."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.tracking.names import State


@dataclass(frozen=True)
class Train:
    """Command: train number ``number`` of the work (None: the worker asks for one itself).

    It ends at ``deadline`` (of ``time.time()``) at the latest.
    """

    number: int | None
    deadline: float | None


@dataclass(frozen=True)
class Interrupt:
    """Command: end the training at the next batch."""


@dataclass(frozen=True)
class Quit:
    """Command: no further training, end the process."""


@dataclass(frozen=True)
class Ready:
    """Event: the worker has started."""


@dataclass(frozen=True)
class StartFailed:
    """Event: the worker could not start."""

    reason: str


@dataclass(frozen=True)
class Started:
    """Event: a training has begun, in a run called ``name``: of ``n_epochs`` at most over all its ``n_folds``."""

    number: int
    name: str
    n_epochs: int
    n_folds: int = 1


@dataclass(frozen=True)
class Advanced:
    """Event: ``share`` of the ``epoch`` (from 1, over all folds) is done; ``value`` is the metric of the one before."""

    number: int
    epoch: int
    share: float
    value: float | None


@dataclass(frozen=True)
class Ended:
    """Event: a training has ended; ``value`` is its best metric."""

    number: int
    name: str
    state: State
    value: float | None
    reason: str
    seconds: float


Event = Ready | StartFailed | Started | Advanced | Ended
"""Whatever a worker says."""
