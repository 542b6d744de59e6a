"""What a pool and its workers tell each other; a job is known by its number, folds and epochs count from 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.training.ending import Ending
from pipeline.training.result import Epoch
from pipeline.workers.job import Job


@dataclass(frozen=True)
class Verdict:
    """Answer to the end of an epoch or a fold: why the training ends, or None; whether its model is kept."""

    ending: Ending | None = None
    keep_model: bool = True


@dataclass(frozen=True)
class Stop:
    """Command: end the training at the next batch."""

    ending: Ending


@dataclass(frozen=True)
class Ready:
    """Event: the worker waits for its first job."""


@dataclass(frozen=True)
class Started:
    """Event: a job has begun, in a run called ``name``: of ``n_epochs`` at most on each of ``n_folds`` splits."""

    number: int
    name: str
    n_epochs: int
    n_folds: int = 1


@dataclass(frozen=True)
class BatchEnd:
    """Event: ``share`` of an epoch is done."""

    number: int
    fold: int
    epoch: int
    share: float


@dataclass(frozen=True)
class EpochEnd:
    """Event: an epoch is over; the worker waits for the verdict."""

    number: int
    fold: int
    epoch: Epoch


@dataclass(frozen=True)
class FoldEnd:
    """Event: the training on one split is over, with its ``best`` epoch; the worker waits for the verdict.

    ``mean`` is the mean of the best epochs of all folds so far.
    """

    number: int
    fold: int
    best: Epoch
    mean: Epoch


@dataclass(frozen=True)
class Ended:
    """Event: a job has ended; ``best`` is its best epoch, with folds the mean of theirs, None where there is none.

    ``figures`` are the single ones of its run, ``scores`` those of the validation images, packed.
    """

    number: int
    name: str
    ending: Ending
    best: Epoch | None
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    scores: str = ""


@dataclass(frozen=True)
class Died:
    """Event: a worker has died, in the job whose run is called ``name``, or in none.

    ``with_machine``: so has the machine that it ran on, so that the job is not to blame.
    """

    reason: str
    name: str = ""
    with_machine: bool = False


@dataclass(frozen=True)
class Note:
    """Event: a line on what happens and why, for people."""

    text: str


Report = EpochEnd | FoldEnd
Event = Ready | Started | BatchEnd | Report | Ended | Died | Note
Command = Job | Verdict | Stop | None
"""None: no further job, end the process."""
