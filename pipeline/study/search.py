"""A whole search: check everything, open study and tracking store, run the trials, close both."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
from optuna.trial import TrialState

from pipeline.data.source import load_training_data
from pipeline.errors import SpaceError
from pipeline.knobs.reader import read_space
from pipeline.knobs.space import SearchSpace
from pipeline.model.hand_made.documents import find_point
from pipeline.paths import StudyPlaces, space_path
from pipeline.settings import SearchSettings
from pipeline.study.backbone_check import check_backbones
from pipeline.study.objective import VAL_ACCURACY
from pipeline.study.opening import Preparation, check_identity, locked, open_study
from pipeline.study.reconciliation import fail_abandoned_trials
from pipeline.study.samplers import check_sampler
from pipeline.study.session import StudySession
from pipeline.study.storage import find_study, storage_location
from pipeline.study.trials import Result, Trials, finished_results, n_finished
from pipeline.tracking import names
from pipeline.tracking.leaderboard import read_leaderboard
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.store import find_store
from pipeline.training.metric import Metric, get_metric
from pipeline.workers.coordinator import Coordinator, make_crew
from pipeline.workers.messages import Ended, Event

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
    path = space_path(settings.space, settings.dataset)
    space = read_space(path, find_point=find_point).with_epochs_at_most(settings.epochs)
    if settings.image_size is not None:
        space = space.with_fixed("image_size", settings.image_size)
    check_sampler(settings.sampler, space)
    data = load_training_data(settings)
    _check_output(space, n_classes=len(data.images.class_names))
    check_backbones(space, data, settings.data_dir)
    return Preparation(settings, space, metric, data)


def _check_output(space: SearchSpace, *, n_classes: int) -> None:
    if n_classes > 2 and "sigmoid" in space.values("output"):
        raise SpaceError(
            f"{space.source}: output sigmoid tells two classes apart, but the data has {n_classes}; take softmax"
        )


def search(
    settings: SearchSettings, show: Callable[[Event], None], on_start: Callable[[list[Result], Path], None]
) -> SearchOutcome:
    """Run a study, or go on with it, until it has its trials or its time is up.

    ``on_start`` gets the results that the study has already, and the log's path; ``show`` gets the workers' events.

    Raises:
        InputError: something cannot be used; nothing was written.
        TrainingsFailed: trial after trial failed.
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
        experiment_id = store.experiment_of(adopted, name=settings.dataset_name)
        run = ParentRun.open(
            store, name=f"study-{settings.study}", tags={names.KIND: "study", names.STUDY: settings.study},
            experiment_id=experiment_id, adopted=adopted, earlier=study.user_attrs.get(_STUDY_RUN),
        )  # fmt: skip
        before = n_finished(study)

        def settle() -> None:
            fail_abandoned_trials(study, store, "interrupted")
            _log_progress(run, study)

        with run.ended(settle):
            study.set_user_attr(_STUDY_RUN, run.run_id)
            run.log_settings(settings.as_parameters())
            run.log_data(preparation.data)
            on_start(finished_results(study), places.log)
            _run_trials(preparation, study, run, location, places.log, start, show)
        return SearchOutcome(
            leaderboard=_log_leaderboard(run, preparation),
            metric=preparation.metric,
            n_run=n_finished(study) - before,
            searched_knobs=tuple(preparation.space.searched),
            ui_command=store.ui_command(),
            log=places.log,
        )


def _run_trials(
    preparation: Preparation, study: optuna.Study, run: ParentRun, location: str, log: Path, start: float,
    show: Callable[[Event], None],
) -> None:  # fmt: skip
    settings = preparation.settings
    crew = make_crew(settings.workers)
    session = StudySession(
        log=log, threads=crew.threads, settings=settings, space=preparation.space, storage=location,
        tracking_uri=run.store.uri, experiment_id=run.experiment_id, study_run_id=run.run_id,
    )  # fmt: skip

    def take(event: Event) -> None:
        if isinstance(event, Ended):
            _log_progress(run, study)
        show(event)

    minutes = settings.timeout_minutes
    deadline = None if minutes is None else start + 60 * minutes
    trials = Trials(settings, preparation.space, study, run.store)
    Coordinator(session, trials, crew, show=take, deadline=deadline).run()


def _log_progress(run: ParentRun, study: optuna.Study) -> None:
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


def _log_leaderboard(run: ParentRun, preparation: Preparation) -> pd.DataFrame:
    table = read_leaderboard(
        run.store, split=preparation.data.split_digest, metric=preparation.metric, study=preparation.settings.study
    )
    run.log_table(table, names.LEADERBOARD_FILE)
    return table
