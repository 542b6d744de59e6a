"""Trials that nobody works on any more, though they are RUNNING: they wait to go on, or fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.study.storage import requeue
from pipeline.study.trial_attributes import DEATHS, OWNER, RUN_ID, STUDY_RUN
from pipeline.tracking import names
from pipeline.tracking.owner import is_alive, this_process
from pipeline.tracking.parent_run import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import Cause, Ending


def requeue_abandoned(study: optuna.Study, store: TrackingStore) -> None:
    """Set RUNNING trials whose command is dead back to waiting; one with too many deaths fails."""
    for trial in _running(study):
        owner = trial.user_attrs.get(OWNER)
        if owner is None or not is_alive(owner):
            n_deaths = trial.user_attrs.get(DEATHS, 0) + 1
            _give_up(study, store, trial, n_deaths, "the command that ran it was killed")


@contextmanager
def requeued_after_errors(study: optuna.Study, store: TrackingStore) -> Iterator[None]:
    """Set trials of this command that an error inside has left RUNNING back to waiting, as far as that is possible.

    Where what was wrong still is, the next command does it.
    """
    try:
        yield
    except Exception:
        with suppress(Exception):
            for trial in _running(study):
                if trial.user_attrs.get(OWNER) in (None, this_process()):
                    _give_up(study, store, trial, trial.user_attrs.get(DEATHS, 0), "an error ended its command")
        raise


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _give_up(study: optuna.Study, store: TrackingStore, trial: FrozenTrial, n_deaths: int, reason: str) -> None:
    """End a trial's run, and have it wait; one without knobs, or with too many deaths, fails."""
    run_id = trial.user_attrs.get(RUN_ID) or _run_of(store, study, trial.number)
    has_knobs = bool(trial.params) or "fixed_params" in trial.system_attrs  # of a first trial
    can_go_on = has_knobs and n_deaths < names.MAX_DEATHS
    if run_id is not None:
        ending = Ending(Cause.INTERRUPTED if can_go_on else Cause.FAILED, reason)
        end_run(store, run_id, ending, {names.DEATHS: str(n_deaths)} if n_deaths else {})
    if can_go_on:
        requeue(study, trial.number, {DEATHS: n_deaths, RUN_ID: run_id or ""})
    else:
        study.tell(trial.number, state=TrialState.FAIL)


def _run_of(store: TrackingStore, study: optuna.Study, number: int) -> str | None:
    """Return the run that a trial was given just before its command ended, which it does not know itself."""
    parent = study.user_attrs.get(STUDY_RUN)
    condition = f"tags.`mlflow.parentRunId` = '{parent}' AND tags.`{names.TRIAL}` = '{number}'"
    found = [run.info.run_id for run in store.search_runs(condition) if names.STATE not in run.data.tags]
    return found[0] if found else None
