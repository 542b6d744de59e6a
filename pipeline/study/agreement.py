"""Optuna and MLflow say the same of each trial of a study: Optuna's state is the one that the next command goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.act import Act
from pipeline.study.abandoned import abandoned_trials, can_go_on, deaths_of, give_up, run_of
from pipeline.study.storage import requeue
from pipeline.study.trial_attributes import RUN_ID, STUDY_RUN
from pipeline.tracking import names
from pipeline.tracking.checkpoints import act_on_training
from pipeline.tracking.killed_runs import KilledRun
from pipeline.tracking.run_states import RunState, find_run, read_runs, settle_run
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import State

_STANDS = {
    State.COMPLETE: "is complete",
    State.PRUNED: "was pruned",
    State.FAIL: "failed",
    State.WAITING: "waits to go on",
}


@dataclass(frozen=True, eq=False)
class Agreement:
    """A study that nobody is at work on, and the store that has its runs."""

    study: optuna.Study
    store: TrackingStore

    @property
    def run_id(self) -> str | None:
        """The study's own run."""
        return self.study.user_attrs.get(STUDY_RUN) or None

    def covers(self, run: RunState) -> bool:
        """Tell whether a run is the study's own, or that of a trial below it."""
        return self.run_id is not None and self.run_id in (run.run_id, run.parent if run.kind == "trial" else None)

    def waiting_runs(self) -> set[str]:
        """Return the runs of the trials that wait to go on."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return {str(trial.user_attrs.get(RUN_ID)) for trial in waiting}

    def acts(self) -> Iterator[Act]:
        """Requeue abandoned trials, end runs as their trials stand, and those without a trial, and the study's run."""
        below = f"tags.`mlflow.parentRunId` = '{self.run_id}' AND tags.`{names.KIND}` = 'trial'"
        runs = {run.run_id: run for run in read_runs(self.store, below)} if self.run_id else {}
        trials = self.study.get_trials(deepcopy=False)
        abandoned = {trial.number: run_of(self.study, self.store, trial) for trial in abandoned_trials(self.study)}
        for number, run_id in abandoned.items():
            yield self._give_up(trials[number], run_id)
        settled = [trial for trial in trials if trial.number not in abandoned and trial.user_attrs.get(RUN_ID)]
        for trial in settled:
            run_id = str(trial.user_attrs[RUN_ID])
            yield from self._settle(trial, runs.get(run_id) or find_run(self.store, run_id))
        known = {*abandoned.values(), *(trial.user_attrs[RUN_ID] for trial in settled)}
        for run in runs.values():
            if run.run_id not in known and not run.has_ended:
                yield self._end(run, State.FAIL, "no trial of its study has it", reason="no trial of its study has it")
        yield from self._end_own()

    def _give_up(self, trial: FrozenTrial, run_id: str | None) -> Act:
        """Have an abandoned trial wait, or fail."""
        what, n_deaths = f"trial {trial.number} of study '{self.study.study_name}'", deaths_of(trial)
        do = partial(give_up, self.study, self.store, trial)
        if can_go_on(trial, n_deaths):
            return Act("requeue", f"{what}: its command is dead, and the next search goes on with it", do)
        why = "it was killed before it had knobs" if n_deaths < names.MAX_DEATHS else f"it was killed {n_deaths} times"
        return act_on_training("fail", f"{what}: {why}", do, self.store, run_id)

    def _settle(self, trial: FrozenTrial, run: RunState | None) -> Iterator[Act]:
        """Have the run of a trial say the same; a trial that waits for a run that is gone begins anew."""
        state = State(trial.state.name)
        if run is not None and not run.is_deleted:
            if not run.agrees_with(state):
                yield self._end(run, state, f"it was {run.status}, while its trial {_STANDS[state]}")
        elif state is State.WAITING:
            what = f"trial {trial.number} of study '{self.study.study_name}' from its run, which is gone"
            yield Act("detach", f"{what}: it begins anew", partial(requeue, self.study, trial.number, {RUN_ID: ""}))

    def _end(self, run: RunState, state: State, why: str, *, reason: str = "") -> Act:
        what = f"run {run.name} of study '{self.study.study_name}' as {state.run_status}: {why}"
        do = partial(settle_run, self.store, run, state, reason)
        if state is State.WAITING:
            return Act("end", what, do)
        return act_on_training("end", what, do, self.store, run.run_id)

    def _end_own(self) -> Iterator[Act]:
        """End the study's run, which is RUNNING only while a command is at work on the study."""
        run = find_run(self.store, self.run_id) if self.run_id else None
        if run is not None and run.is_running and not run.is_deleted:
            yield Act("end", f"run {run.name} as FAILED: its command is dead", partial(KilledRun(run).end, self.store))
