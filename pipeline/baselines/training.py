"""Train jobs: check everything, open a run for them, train what is not trained yet, read the leaderboard."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.baselines.job import Job
from pipeline.baselines.session import Jobs, JobSession
from pipeline.data.source import TrainingData
from pipeline.errors import TrainingsFailed
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.tracking.leaderboard import read_leaderboard, update_study_leaderboards
from pipeline.tracking.names import State
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import finished_trainings
from pipeline.tracking.store import TrackingStore, find_store
from pipeline.training.metric import get_metric
from pipeline.workers.coordinator import Coordinator, make_crew
from pipeline.workers.messages import Ended, Event


@dataclass(frozen=True, eq=False)
class JobsOutcome:
    """What jobs leave: the leaderboard of the data set, the jobs that had been done before, where to look further."""

    leaderboard: pd.DataFrame
    done_before: tuple[str, ...]
    ui_command: str
    log: Path


def train_jobs(
    jobs: list[Job], data: TrainingData, settings: TrainingSettings, *, kind: str,
    show: Callable[[Event], None], on_start: Callable[[int, Path], None],
) -> JobsOutcome:  # fmt: skip
    """Train ``jobs`` in runs below one of the ``kind``; those whose like has finished on these images are left out.

    ``on_start`` gets the number of jobs to do and the log's path; ``show`` gets the workers' events.

    Raises:
        SettingError: the tracking store cannot be used; nothing was written.
        TrainingsFailed: a job failed; the others were done.
    """
    metric = get_metric(settings.metric)
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    store = find_store()
    store.check()
    to_do = left_to_do(jobs, data, settings, store)
    name = f"{kind}-{settings.dataset_name}"
    log = store.studies / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = ParentRun.open(
        store, name=name, tags={names.KIND: kind}, adopted=adopted,
        experiment_id=store.experiment_of(adopted, name=settings.dataset_name),
    )  # fmt: skip
    with parent.ended():
        parent.log_settings(settings.as_parameters())
        parent.log_data(data)
        on_start(len(to_do), log)
        failures = do_jobs(to_do, parent, settings, log=log, show=show)
        board = read_leaderboard(store, split=data.split_digest, metric=metric)
        parent.log_table(board, names.LEADERBOARD_FILE)
        update_study_leaderboards(store, split=data.split_digest)
        if failures:
            raise TrainingsFailed(
                f"{len(failures)} of {len(to_do)} trainings failed, {failures[0].name}: {failures[0].reason}; see {log}"
            )
    before = tuple(job.name for job in jobs if job not in to_do)
    return JobsOutcome(board, before, store.ui_command(), log)


def left_to_do(
    jobs: Sequence[Job], data: TrainingData, settings: TrainingSettings, store: TrackingStore
) -> tuple[Job, ...]:  # fmt: skip
    """Return the jobs whose like has not finished on these images."""
    done = finished_trainings(store, data.split_digest)
    return tuple(job for job in jobs if job.fingerprint(data, settings) not in done)


def do_jobs(
    jobs: tuple[Job, ...], parent: ParentRun, settings: TrainingSettings, *, log: Path, show: Callable[[Event], None],
    kind: type[JobSession] = JobSession,
) -> list[Ended]:  # fmt: skip
    """Do jobs in workers, in runs below ``parent``; return the ends of those that failed."""
    failures: list[Ended] = []

    def take(event: Event) -> None:
        if isinstance(event, Ended) and event.state is State.FAIL:
            failures.append(event)
        show(event)

    crew = make_crew(settings.workers)
    session = kind(log, crew.threads, settings, jobs, parent)
    Coordinator(session, Jobs(jobs, parent), crew, show=take).run()
    return failures
