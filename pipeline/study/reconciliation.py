"""Bring a study and its runs into line after workers or whole commands have died."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from pipeline.study.objective import RETRY_OF, RUN_ID
from pipeline.tracking.names import State
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import end_training_run


def fail_trial(study: optuna.Study, store: TrackingStore, number: int, reason: str, *, retry: bool) -> None:
    """End a trial that nobody works on any more as failed, with its run; ``retry`` enqueues its knobs again."""
    trial = study.get_trials(deepcopy=False)[number]
    if trial.state is TrialState.RUNNING:
        study.tell(number, state=TrialState.FAIL)
        if retry and trial.params:
            study.enqueue_trial(trial.params, user_attrs={RETRY_OF: number})
    if run_id := trial.user_attrs.get(RUN_ID):
        end_training_run(store, run_id, State.FAIL, reason)


def fail_abandoned_trials(study: optuna.Study, store: TrackingStore, reason: str) -> int:
    """Fail and enqueue again every trial that is still RUNNING; call where no worker is. Return how many."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in running:
        fail_trial(study, store, trial.number, reason, retry=True)
    return len(running)
