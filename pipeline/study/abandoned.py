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
from pipeline.tracking.run_states import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import Cause, Ending

_KILLED = "the command that ran it was killed"


def requeue_abandoned(study: optuna.Study, store: TrackingStore) -> None:
    """Set RUNNING trials whose command is dead back to waiting; one with too many deaths fails."""
    for trial in abandoned_trials(study):
        give_up(study, store, trial)


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
                    _end(study, store, trial, trial.user_attrs.get(DEATHS, 0), "an error ended its command")
        raise


def abandoned_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the RUNNING trials without a living owner."""
    return [
        trial
        for trial in _running(study)
        if OWNER not in trial.user_attrs or not is_alive(trial.user_attrs[OWNER])
    ]  # fmt: skip


def living_owner(study: optuna.Study) -> str | None:
    """Return an owner of a RUNNING trial that may be at work."""
    owners = (str(trial.user_attrs[OWNER]) for trial in _running(study) if OWNER in trial.user_attrs)
    return next((owner for owner in owners if is_alive(owner)), None)


def give_up(study: optuna.Study, store: TrackingStore, trial: FrozenTrial) -> None:
    """End the run of an abandoned trial, and have the trial wait, or fail where it cannot go on."""
    _end(study, store, trial, deaths_of(trial), _KILLED)


def deaths_of(trial: FrozenTrial) -> int:
    """Return the deaths in an abandoned trial, that of its owner included."""
    return int(trial.user_attrs.get(DEATHS, 0)) + 1


def can_go_on(trial: FrozenTrial, n_deaths: int) -> bool:
    """Tell whether a trial may be trained further: it has knobs, and not too many deaths.

    One that knows its run has them, though in a space of fixed values there are none to draw; those of a first trial
    may not be drawn yet.
    """
    has_knobs = bool(trial.params) or "fixed_params" in trial.system_attrs or bool(trial.user_attrs.get(RUN_ID))
    return has_knobs and n_deaths < names.MAX_DEATHS


def run_of(study: optuna.Study, store: TrackingStore, trial: FrozenTrial) -> str | None:
    """Return a trial's run; one that was made just before its command ended is not known to the trial itself."""
    if trial.user_attrs.get(RUN_ID):
        return str(trial.user_attrs[RUN_ID])
    parent = study.user_attrs.get(STUDY_RUN)
    condition = f"tags.`mlflow.parentRunId` = '{parent}' AND tags.`{names.TRIAL}` = '{trial.number}'"
    found = [run.info.run_id for run in store.search_runs(condition) if names.STATE not in run.data.tags]
    return found[0] if found else None


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _end(study: optuna.Study, store: TrackingStore, trial: FrozenTrial, n_deaths: int, reason: str) -> None:
    run_id, goes_on = run_of(study, store, trial), can_go_on(trial, n_deaths)
    if run_id is not None:
        ending = Ending(Cause.INTERRUPTED if goes_on else Cause.FAILED, reason)
        end_run(store, run_id, ending, {names.DEATHS: str(n_deaths)} if n_deaths else {})
    if goes_on:
        requeue(study, trial.number, {DEATHS: n_deaths, RUN_ID: run_id or ""})
    else:
        study.tell(trial.number, state=TrialState.FAIL)
