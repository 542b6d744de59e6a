"""A source of jobs: what a pool trains, and who judges it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from pipeline.tracking import names
from pipeline.tracking.checkpoints import checkpoints_of, remove
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.run_states import end_run
from pipeline.training.ending import Ending, State
from pipeline.workers.events import Ended, Report, Verdict
from pipeline.workers.job import Job


class Source(Protocol):
    """Chooses jobs and judges them, in the coordinating process alone."""

    def n_left(self, n_running: int) -> int:
        """Return how many jobs may still be started while ``n_running`` are at work."""

    def most_workers(self) -> int | None:
        """Return among how many workers the machine is divided for the next jobs; None: as many as there are."""

    def next(self) -> Job | None:
        """Return the next job, with its run; None where there is none now."""

    def report(self, job: Job, report: Report) -> Verdict:
        """Judge a job at the end of an epoch or fold; its worker waits meanwhile."""

    def finish(self, job: Job, ended: Ended) -> Ended:
        """Take the end of a job, and return it as it counts.

        A job that waits comes back from ``next``, and goes on from its checkpoint.
        """


def open_run(parent: ParentRun, job: Job) -> Job:
    """Return the job with its run, made below ``parent``; a run that the job has already goes on.

    Raises:
        MlflowException: the run cannot be made.
    """
    if job.run_id:
        parent.resume_run(job.run_id)
        return job
    run_id = parent.start_run(job.name, tags=job.tags, parameters=job.parameters(), files=job.files)
    if job.reported is not None:
        parent.log_figures({"reported_accuracy": job.reported}, run_id=run_id)
    return replace(job, run_id=run_id)


def close_run(parent: ParentRun, job: Job, ending: Ending) -> None:
    """End a job's run as its training ended; its checkpoints stay where it is to go on."""
    tags = {names.DEATHS: str(job.deaths)} if job.deaths else {}
    end_run(parent.store, job.run_id, ending, tags)
    if ending.state is not State.WAITING:
        remove(checkpoints_of(parent.store, job.run_id))
