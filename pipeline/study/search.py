"""A whole search: check everything, open study and tracking store, run the trials, close both."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
from optuna.trial import TrialState

from pipeline.data.source import dataset_name, load_training_images, split
from pipeline.knobs.reader import read_space
from pipeline.settings import SearchSettings, StudyPlaces, space_path
from pipeline.study.coordinator import Coordinator, n_finished
from pipeline.study.messages import Event, Session, TrialEnded
from pipeline.study.objective import VAL_ACCURACY
from pipeline.study.opening import Preparation, check_identity, locked, open_study
from pipeline.study.reconciliation import fail_abandoned_trials
from pipeline.study.samplers import check_sampler
from pipeline.study.storage import find_study, storage_location
from pipeline.tracking.leaderboard import read_leaderboard
from pipeline.tracking.store import find_store
from pipeline.tracking.study_run import StudyRun
from pipeline.training.device import visible_gpus
from pipeline.training.metric import Metric, get_metric

_STUDY_RUN = "run_id"


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """What a search leaves: its leaderboard and where to look further."""

    leaderboard: pd.DataFrame
    metric: Metric
    n_run: int
    searched_knobs: tuple[str, ...]
    ui_command: str
    log: Path


def prepare(settings: SearchSettings) -> Preparation:
    """Check space, metric, sampler and data of a search.

    Raises:
        InputError: the first thing that cannot be used.
    """
    metric = get_metric(settings.metric)
    space = read_space(space_path(settings.space, settings.dataset)).with_epochs_at_most(settings.epochs)
    check_sampler(settings.sampler, space)
    data = split(load_training_images(settings.dataset, settings.data_dir), seed=settings.seed)
    return Preparation(settings, space, metric, data)


def search(
    settings: SearchSettings, show: Callable[[Event], None], on_start: Callable[[optuna.Study, Path], None]
) -> SearchOutcome:
    """Run a study, or go on with it, until it has its trials or its time is up.

    ``on_start`` gets the opened study and the log's path; ``show`` gets every event of the workers.

    Raises:
        InputError: something cannot be used; nothing was written.
        StudyFailed: trial after trial failed.
    """
    start = time.time()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    preparation = prepare(settings)
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    store = find_store()
    places = StudyPlaces(store.studies, settings.study)
    location = storage_location(settings.storage, places)
    check_identity(find_study(location, settings.study), preparation)
    store.check()
    with locked(places):
        study = open_study(location, preparation)
        fail_abandoned_trials(study, store, "the command that ran it ended early")
        experiment_id = store.experiment_of(adopted, name=dataset_name(settings.dataset))
        run = StudyRun.open(
            store, study=settings.study, experiment_id=experiment_id,
            earlier=study.user_attrs.get(_STUDY_RUN), adopted=adopted,
        )  # fmt: skip
        before = n_finished(study)
        with _ended(run, study):
            study.set_user_attr(_STUDY_RUN, run.run_id)
            run.log_settings(settings.as_parameters())
            run.log_data(preparation.data)
            on_start(study, places.log)
            _run_trials(preparation, study, run, location, places.log, start, show)
        return SearchOutcome(
            leaderboard=_log_leaderboard(run, study, preparation.metric),
            metric=preparation.metric,
            n_run=n_finished(study) - before,
            searched_knobs=tuple(preparation.space.searched),
            ui_command=store.ui_command(),
            log=places.log,
        )


def _run_trials(
    preparation: Preparation, study: optuna.Study, run: StudyRun, location: str, log: Path, start: float,
    show: Callable[[Event], None],
) -> None:  # fmt: skip
    settings = preparation.settings
    gpus = visible_gpus()
    n_workers = settings.workers or max(1, len(gpus))
    session = Session(
        settings=settings, space=preparation.space, storage=location, tracking_uri=run.store.uri,
        experiment_id=run.experiment_id, study_run_id=run.run_id, log=log,
        threads=max(1, (os.cpu_count() or 1) // n_workers),
    )  # fmt: skip

    def take(event: Event) -> None:
        if isinstance(event, TrialEnded):
            _log_progress(run, study)
        show(event)

    minutes = settings.timeout_minutes
    deadline = None if minutes is None else start + 60 * minutes
    Coordinator(session, study, n_workers=n_workers, gpus=gpus, deadline=deadline, show=take).run()


@contextmanager
def _ended(run: StudyRun, study: optuna.Study) -> Iterator[None]:
    """End the study's run and every trial, whatever happens."""
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        fail_abandoned_trials(study, run.store, "interrupted")
        run.fail_open_trials("its worker died before the trial began")
        _log_progress(run, study)
        run.end(status)


def _log_progress(run: StudyRun, study: optuna.Study) -> None:
    trials = study.get_trials(deepcopy=False)
    counts = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    metrics = {
        "n_complete": counts[TrialState.COMPLETE],
        "n_pruned": counts[TrialState.PRUNED],
        "n_failed": counts[TrialState.FAIL],
    }
    accuracies = [trial.user_attrs[VAL_ACCURACY] for trial in trials if VAL_ACCURACY in trial.user_attrs]
    if accuracies:
        metrics["best_val_accuracy"] = max(accuracies)
    run.log_progress(metrics, step=counts[TrialState.COMPLETE] + counts[TrialState.PRUNED])


def _log_leaderboard(run: StudyRun, study: optuna.Study, metric: Metric) -> pd.DataFrame:
    table = read_leaderboard(
        run.store,
        run.experiment_id,
        study.study_name,
        metric=metric.name,
        maximize=metric.direction == "maximize",
    )
    run.log_table(table, "leaderboard.csv")
    return table
