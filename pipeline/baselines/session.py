"""What a worker needs to do jobs, and the jobs as work for a coordinator."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.baselines.job import Job
from pipeline.settings import TrainingSettings
from pipeline.tracking.parent_run import ParentRun
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.session import Runner, Session


@dataclass(frozen=True)
class JobSession(Session):
    """The jobs, and the run that theirs stand under."""

    settings: TrainingSettings
    jobs: tuple[Job, ...]
    parent: ParentRun

    def make_runner(self, mailbox: Mailbox, *, worker_index: int) -> Runner:
        """Load the images."""
        from pipeline.baselines.runner import JobRunner, load_fitting

        return JobRunner(self, load_fitting(self, mailbox))


@dataclass
class Jobs:
    """The jobs in their order."""

    jobs: tuple[Job, ...]
    parent: ParentRun
    n_started: int = 0

    def n_left(self, n_running: int) -> int:
        """Return how many jobs have not been started."""
        return len(self.jobs) - self.n_started

    def next(self) -> int:
        """Return the index of the next job."""
        self.n_started += 1
        return self.n_started - 1

    def fail(self, number: int, reason: str) -> str:
        """Fail the run of a job whose worker died; return its name."""
        self.parent.fail_open_runs(reason, name=self.jobs[number].name)
        return self.jobs[number].name
