"""A strategy: which configurations a study trains, for how long, and which of them it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from pipeline.knobs.table import Knobs
from pipeline.training.budget import Budget
from pipeline.training.ending import Ending
from pipeline.workers.events import Ended, Report
from pipeline.workers.job import Job


@dataclass(frozen=True)
class Proposal:
    """A trial to make: its parameters, or the sampler that is asked for them, and attributes that it keeps."""

    params: Knobs | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    sampler: BaseSampler | None = None


class Strategy(Protocol):
    """Decides from the trials of a study, in the coordinating process alone.

    Trainings are cut off at the limit of the study's time, but for ``grace_seconds``.
    """

    @property
    def grace_seconds(self) -> float:
        """Seconds beyond the limit for trainings that end by themselves."""

    def n_left(self, n_running: int) -> int:
        """Return how many new trials may be started now, while ``n_running`` are at work."""

    def most_workers(self) -> int | None:
        """Return among how many workers the machine is divided for what comes next; None: as many as there are."""

    def propose(self) -> Proposal | None:
        """Return the next new trial; None where there is none now."""

    def budget(self, trial: FrozenTrial) -> Budget:
        """Return what a trial may use, from the start or to go on."""

    def tags(self, trial: FrozenTrial) -> Mapping[str, str]:
        """Return tags of the trial's run."""

    def judge(self, trial: optuna.Trial, job: Job, report: Report) -> Ending | None:
        """Judge a trial at the end of an epoch or a fold; return why it is stopped, or None."""

    def conclude(self, trial: optuna.Trial, ended: Ended) -> Ended:
        """Take the end of a trial that does not wait; return it as it counts, where it lost by its result."""

    def close(self) -> None:
        """Say how the search ended."""
