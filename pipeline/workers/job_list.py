"""A list of jobs as a source: all are trained in order, and none is pruned."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.source import TrainingData
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import finished_trainings, search_trainings
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import State
from pipeline.workers.events import Ended, Event, Report, Verdict
from pipeline.workers.executor import Executor
from pipeline.workers.job import Job
from pipeline.workers.pool import Pool
from pipeline.workers.source import close_run, open_run


class JobList:
    """Jobs in their order; ``failures`` are the ends of those that failed."""

    def __init__(self, jobs: Iterable[Job], parent: ParentRun) -> None:
        self._left = deque(jobs)
        self._parent = parent
        self.failures: list[Ended] = []

    def n_left(self, n_running: int) -> int:
        """Return how many jobs wait."""
        return len(self._left)

    def most_workers(self) -> int | None:
        """Divide the machine among all workers."""
        return None

    def next(self) -> Job | None:
        """Return the next job; None while the tracking server is away."""
        if not self._left or not self._parent.store.outbox.is_open():
            return None
        job = self._left.popleft()
        try:
            return open_run(self._parent, job)
        except Exception as error:
            if not self._parent.store.is_away(error):
                raise
            self._left.appendleft(job)
            return None

    def report(self, job: Job, report: Report) -> Verdict:
        """Let every job go on."""
        return Verdict()

    def finish(self, job: Job, ended: Ended) -> Ended:
        """End the job's run; one that waits comes next."""
        close_run(self._parent, job, ended.ending)
        if ended.ending.state is State.WAITING:
            self._left.appendleft(job)
        elif ended.ending.state is State.FAIL:
            self.failures.append(ended)
        return ended


def left_to_do(
    jobs: Sequence[Job], data: TrainingData, settings: TrainingSettings, store: TrackingStore
) -> tuple[Job, ...]:  # fmt: skip
    """Return the jobs without a finished run of the same fingerprint."""
    done = finished_trainings(store, data.split_digest)
    return tuple(job for job in jobs if job.fingerprint(data, settings) not in done)


def run_jobs(
    jobs: Sequence[Job], parent: ParentRun, data: TrainingData, settings: TrainingSettings, executor: Executor, *,
    log: Path, show: Callable[[Event], None],
) -> list[Ended]:  # fmt: skip
    """Train jobs in workers, in runs below ``parent``; return the ends of those that failed.

    One that an earlier command has left waiting goes on in its own run.

    Raises:
        TrainingsFailed: several failed in a row; the others were not tried.
    """
    source = JobList(_marked(jobs, data, settings, parent.store), parent)
    Pool(source, executor, show, log).run()
    return source.failures


def _marked(
    jobs: Sequence[Job], data: TrainingData, settings: TrainingSettings, store: TrackingStore
) -> Iterable[Job]:  # fmt: skip
    """Yield the jobs with their numbers, tags and, where they wait, runs."""
    waiting = _waiting_runs(store, data.split_digest)
    for number, job in enumerate(jobs):
        fingerprint = job.fingerprint(data, settings)
        tags = {names.SPLIT: data.split_digest, names.SEED: str(job.seed), names.FINGERPRINT: fingerprint}
        run_id, deaths = waiting.get(fingerprint, ("", 0))
        yield replace(job, number=number, tags={**job.tags, **tags}, run_id=run_id, deaths=deaths)


def _waiting_runs(store: TrackingStore, split: str) -> dict[str, tuple[str, int]]:
    """Return the runs that wait to go on, and the deaths in them, by fingerprint."""
    status = State.WAITING.run_status
    found = search_trainings(store, f"tags.`{names.SPLIT}` = '{split}' AND attributes.status = '{status}'")
    return {
        one.tags[names.FINGERPRINT]: (one.run_id, int(one.tags.get(names.DEATHS, "0")))
        for one in found
        if names.FINGERPRINT in one.tags
    }
