"""A whole search: check everything, open study and tracking store, run the trials, close both."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd

from pipeline.disk import ROOM_BYTES
from pipeline.errors import SettingError
from pipeline.evaluation.objectives import Objective, ParetoFront
from pipeline.locks import held
from pipeline.paths import StudyPlaces
from pipeline.settings import SearchSettings
from pipeline.study.abandoned import requeue_abandoned, requeued_after_errors
from pipeline.study.kept_models import KeptModels
from pipeline.study.preparation import Preparation, prepare
from pipeline.study.pruners import make_pruner
from pipeline.study.storage import check_storage, find_study, mend_journal, open_storage, storage_location
from pipeline.study.strategies import check_limits, make_strategy
from pipeline.study.time_limit import TimeLimit
from pipeline.study.trial_attributes import STUDY_RUN, finished_trials, metric_value
from pipeline.study.trials import Trials
from pipeline.tracking import names
from pipeline.tracking.leaderboard import read_leaderboard
from pipeline.tracking.parent_run import ParentRun, check_adopted_run, command_run
from pipeline.tracking.store import find_store
from pipeline.training.ending import State
from pipeline.workers.events import Event, Note
from pipeline.workers.executor import Executor
from pipeline.workers.executors import make_executor
from pipeline.workers.job import WorkerContext
from pipeline.workers.pool import Pool

_IDENTITY = "identity"

OnStart = Callable[[list[tuple[State, float | None]], Path], None]


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """What a search leaves: its leaderboard and where to look further; ``objectives`` where there are several."""

    leaderboard: pd.DataFrame
    n_run: int
    searched_knobs: tuple[str, ...]
    ui_command: str
    log: Path
    objectives: tuple[Objective, ...] = ()


def search(
    settings: SearchSettings, show: Callable[[Event], None], on_start: OnStart, *, start: float | None = None
) -> SearchOutcome:
    """Run a study, or go on with it, until it has its trials or its time is up.

    Its time counts from ``start`` of ``time.time()``; None: from now.

    ``on_start`` gets state and metric of each finished trial that the study has already, and the log's path; ``show``
    gets the workers' events.

    Raises:
        InputError: something cannot be used; nothing was written.
        TrainingsFailed: trial after trial failed.
    """
    start = start or time.time()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    store = find_store(say=lambda line: show(Note(line)))
    preparation = prepare(settings)
    check_limits(preparation)
    places = StudyPlaces(store.studies, settings.study)
    location = storage_location(settings.storage, places)
    store.check_writable(n_bytes=ROOM_BYTES)
    check_storage(location)
    mended = mend_journal(location, locked(places))
    for note in filter(None, (mended, *preparation.notes)):
        show(Note(note))
    check_identity(find_study(location, settings.study), preparation)
    executor = make_executor(WorkerContext(settings, store, places.log), preparation.data)
    check_adopted_run(store)
    store.open()
    with locked(places):
        study = open_study(location, preparation, say=lambda line: show(Note(line)))
        n_before = len(finished_trials(study))
        opened = command_run(
            store, name=f"study-{settings.study}", tags={names.KIND: "study", names.STUDY: settings.study},
            settings=settings.as_parameters(), data=preparation.data, experiment=settings.dataset_name,
            earlier=study.user_attrs.get(STUDY_RUN),
        )  # fmt: skip
        with opened as run:
            study.set_user_attr(STUDY_RUN, run.run_id)
            requeue_abandoned(study, store)
            before = [(State(trial.state.name), metric_value(trial)) for trial in finished_trials(study)]
            on_start(before, places.log)
            with requeued_after_errors(study, store):
                _run_trials(preparation, study, run, executor, places.log, start, show)
        return SearchOutcome(
            leaderboard=_log_leaderboard(run, preparation),
            n_run=len(finished_trials(study)) - n_before,
            searched_knobs=tuple(preparation.space.searched),
            ui_command=store.ui_command(),
            log=places.log,
            objectives=preparation.objectives if len(preparation.objectives) > 1 else (),
        )


def check_identity(study: optuna.Study | None, preparation: Preparation) -> None:
    """Check that a study that exists is the one that the settings mean.

    Raises:
        SettingError: its data, space, metric, objectives, seed or split are others.
    """
    if study is None or _IDENTITY not in study.user_attrs:
        return
    was, is_now = study.user_attrs[_IDENTITY], preparation.identity()
    changed = [name for name in {**is_now, **was} if was.get(name) != is_now.get(name)]
    if changed:
        raise SettingError(
            "a study keeps its dataset, space, metric, objectives, seed, validation share, folds and strategy, but "
            f"{', '.join(changed)} of study '{preparation.settings.study}' changed; give the new search a name of its "
            "own with --study"
        )


def locked(places: StudyPlaces) -> AbstractContextManager[None]:
    """Hold the study's lock, so that one command at a time coordinates it.

    Raises:
        SettingError: another command holds it.
    """
    error = SettingError(
        f"a study is searched by one command at a time, and another one is at work on '{places.study}'; "
        "wait for it, or give --study another name"
    )
    return held(places.lock, seconds=0, error=error)


def open_study(location: str, preparation: Preparation, say: Callable[[str], None]) -> optuna.Study:
    """Open the study, made where it is new; ``say`` gets a line when its database is gone, and when it is back."""
    settings = preparation.settings
    study = optuna.create_study(
        storage=open_storage(location, say),
        study_name=settings.study,
        directions=[objective.direction for objective in preparation.objectives],
        pruner=make_pruner(settings.pruner, max_steps=preparation.space.max_epochs),
        load_if_exists=True,
    )
    if _IDENTITY not in study.user_attrs:
        study.set_user_attr(_IDENTITY, preparation.identity())
    return study


def _run_trials(
    preparation: Preparation, study: optuna.Study, run: ParentRun, executor: Executor, log: Path, start: float,
    show: Callable[[Event], None],
) -> None:  # fmt: skip
    settings, data = preparation.settings, preparation.data
    limit = TimeLimit.of(study, minutes=settings.timeout_minutes, start=start)

    def say(line: str) -> None:
        show(Note(line))

    strategy = make_strategy(preparation, study, limit, executor, say)
    models = KeptModels(study, run.store, settings, preparation.metric, say, start)
    trials = Trials(
        study, strategy, settings, preparation.space, preparation.metric, preparation.objectives, data.split_digest,
        run, limit, models,
    )  # fmt: skip
    Pool(trials, executor, show, log, limit.deadline(grace_seconds=strategy.grace_seconds)).run()
    strategy.close()
    limit.record(study, at_once=True)
    trials.log_progress()


def _log_leaderboard(run: ParentRun, preparation: Preparation) -> pd.DataFrame:
    run.store.outbox.require_answer()
    table = read_leaderboard(
        run.store, split=preparation.data.split_digest, metric=preparation.metric, study=preparation.settings.study,
        front=ParetoFront.of(preparation.settings.as_parameters()),
    )  # fmt: skip
    run.log_table(table, names.LEADERBOARD_FILE)
    return table
