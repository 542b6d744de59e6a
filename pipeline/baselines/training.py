"""Train jobs: check everything, open a run for them, train what is not trained yet, read the leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.data.source import TrainingData
from pipeline.disk import ROOM_BYTES
from pipeline.errors import TrainingsFailed
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.tracking.leaderboard import read_leaderboard, update_study_leaderboards
from pipeline.tracking.parent_run import check_adopted_run, command_run
from pipeline.tracking.store import find_store
from pipeline.training.metric import get_metric
from pipeline.workers.events import Event, Note
from pipeline.workers.executors import make_executor
from pipeline.workers.job import Job, WorkerContext
from pipeline.workers.job_list import left_to_do, run_jobs


def train_jobs(
    jobs: list[Job], data: TrainingData, settings: TrainingSettings, *, kind: str,
    show: Callable[[Event], None], on_start: Callable[[Sequence[Job], Path], None],
) -> pd.DataFrame:  # fmt: skip
    """Train ``jobs`` in runs below one of the ``kind``, and return the leaderboard of the data set.

    Jobs that have a finished run of their fingerprint are left out: ``on_start`` gets the others, and the log's path;
    ``show`` gets the workers' events.

    Raises:
        InputError: the tracking store or its folder cannot be used; nothing was written.
        TrainingsFailed: a job failed; the others were done.
    """
    metric = get_metric(settings.metric)
    store = find_store(say=lambda line: show(Note(line)))
    store.check_writable(n_bytes=ROOM_BYTES)
    check_adopted_run(store)
    name = f"{kind}-{settings.dataset_name}"
    log = store.studies / f"{name}.log"
    executor = make_executor(WorkerContext(settings, store, log), data)
    store.open()
    to_do = left_to_do(jobs, data, settings, store)
    log.parent.mkdir(parents=True, exist_ok=True)
    opened = command_run(
        store, name=name, tags={names.KIND: kind}, settings=settings.as_parameters(), data=data,
        experiment=settings.dataset_name,
    )  # fmt: skip
    with opened as parent:
        on_start(to_do, log)
        failures = run_jobs(to_do, parent, data, settings, executor, log=log, show=show)
        store.outbox.require_answer()
        board = read_leaderboard(store, split=data.split_digest, metric=metric)
        parent.log_table(board, names.LEADERBOARD_FILE)
        update_study_leaderboards(store, split=data.split_digest)
        if failures:
            reason = f"{failures[0].name}: {failures[0].ending.reason}"
            raise TrainingsFailed(f"{len(failures)} of {len(to_do)} trainings failed, {reason}; see {log}")
    return board
