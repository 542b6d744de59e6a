"""The trials of a study as work for a coordinator."""

from __future__ import annotations

from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from pipeline.knobs.space import SearchSpace
from pipeline.settings import SearchSettings
from pipeline.study.reconciliation import fail_trial
from pipeline.study.samplers import is_exhausted
from pipeline.tracking.names import State, run_name
from pipeline.tracking.store import TrackingStore

Result = tuple[State, float | None]
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def n_finished(study: optuna.Study) -> int:
    """Return the number of finished trials, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def finished_results(study: optuna.Study) -> list[Result]:
    """Return how each finished trial ended, and its value (None: it has none)."""
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    return [(State(trial.state.name), trial.value) for trial in trials]


@dataclass(frozen=True)
class Trials:
    """The trials that a study lacks; each worker asks Optuna for its own."""

    settings: SearchSettings
    space: SearchSpace
    study: optuna.Study
    store: TrackingStore

    def n_left(self, n_running: int) -> int:
        """Return how many trials may still be started: none where the grid is used up."""
        if is_exhausted(self.settings.sampler, self.space, self.study):
            return 0
        return self.settings.trials - n_finished(self.study) - n_running

    def next(self) -> int | None:
        """Return None: the worker asks the study."""
        return None

    def fail(self, number: int, reason: str) -> str:
        """Fail a trial whose worker died; return the name of its run."""
        fail_trial(self.study, self.store, number, reason, retry=False)
        return run_name(number)
