"""The trials of a study as a source of jobs: Optuna is asked and told here, in the coordinating process alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from pipeline.knobs.space import SearchSpace
from pipeline.settings import SearchSettings
from pipeline.study.samplers import derive_seed, is_exhausted, make_sampler
from pipeline.study.storage import requeue
from pipeline.tracking import names
from pipeline.tracking.owner import is_alive, this_process
from pipeline.tracking.parent_run import ParentRun, end_killed_run
from pipeline.tracking.store import TrackingStore
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import Metric
from pipeline.workers.events import Ended, EpochEnd, Report, Verdict
from pipeline.workers.job import Job
from pipeline.workers.source import close_run, open_run

# Attributes of trials: what Optuna cannot express.
RUN_ID, OWNER, DEATHS, VAL_ACCURACY = "run_id", "owner", "deaths", "val_accuracy"
STUDY_RUN = "run_id"  # an attribute of the study
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def finished_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the finished trials, pruned ones included."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def requeue_abandoned(study: optuna.Study, store: TrackingStore) -> None:
    """Set RUNNING trials whose command is dead back to waiting; one with too many deaths fails."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        owner = trial.user_attrs.get(OWNER)
        if owner is not None and is_alive(owner):
            continue
        run_id = trial.user_attrs.get(RUN_ID) or _run_of(store, study, trial.number)
        n_deaths = trial.user_attrs.get(DEATHS, 0) + 1
        has_knobs = bool(trial.params) or "fixed_params" in trial.system_attrs  # of a first trial
        can_go_on = has_knobs and n_deaths < names.MAX_DEATHS
        if run_id is not None:
            end_killed_run(store, run_id, n_deaths, can_go_on=can_go_on)
        if can_go_on:
            requeue(study, trial.number, {DEATHS: n_deaths, RUN_ID: run_id or ""})
        else:
            study.tell(trial.number, state=TrialState.FAIL)


def _run_of(store: TrackingStore, study: optuna.Study, number: int) -> str | None:
    """Return the run that a trial was given just before its command was killed, which it does not know itself."""
    parent = study.user_attrs.get(STUDY_RUN)
    condition = f"tags.`mlflow.parentRunId` = '{parent}' AND tags.`{names.TRIAL}` = '{number}'"
    found = [run.info.run_id for run in store.search_runs(condition) if names.STATE not in run.data.tags]
    return found[0] if found else None


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials that a study still needs; ``parent`` is its run, ``split`` the digest of what judges them."""

    study: optuna.Study
    settings: SearchSettings
    space: SearchSpace
    metric: Metric
    split: str
    n_folds: int
    parent: ParentRun
    _running: dict[int, optuna.Trial] = field(default_factory=dict)
    _reported: dict[int, set[int]] = field(default_factory=dict)

    def n_left(self, n_running: int) -> int:
        """Return how many trials may still be started: none where the grid is used up."""
        if is_exhausted(self.settings.sampler, self.space, self.study) and not self._waiting():
            return 0
        return self.settings.trials - len(finished_trials(self.study)) - n_running

    def next(self) -> Job:
        """Ask for a trial: one that waits, else the sampler's proposal."""
        trial = self._ask()
        job = open_run(self.parent, self._job(trial))
        trial.set_user_attr(RUN_ID, job.run_id)
        self._running[trial.number] = trial
        self._reported[trial.number] = set(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        return job

    def report(self, job: Job, report: Report) -> Verdict:
        """Report an epoch, or with folds a fold, to the study, and have its pruner judge it."""
        if isinstance(report, EpochEnd):
            value = self.metric.of(report.epoch)
            is_judged, is_last, step = self.n_folds == 1, report.epoch.number == job.n_epochs, report.epoch.number
            reason = f"{self.metric.name} {value:.4f} after epoch {step} is not among the best"
        else:
            value = self.metric.of(report.best)
            is_judged, is_last, step = self.n_folds > 1, report.fold == self.n_folds, report.fold
            reason = f"{self.metric.name} of the first {step} folds is worse than the best trial's"
        keep_model = isinstance(report, EpochEnd) or self._keeps_model(self.metric.of(report.mean))
        if is_judged and self._is_pruned(job.number, value, step, is_last=is_last):
            return Verdict(Ending(Cause.PRUNED, reason), keep_model)
        return Verdict(keep_model=keep_model)

    def finish(self, job: Job, ended: Ended) -> None:
        """End the trial's run, then tell the study; a trial that waits keeps its number, seed and run."""
        trial, _ = self._running.pop(job.number), self._reported.pop(job.number)
        close_run(self.parent, job, ended.ending)
        if ended.best is not None:
            trial.set_user_attr(VAL_ACCURACY, ended.best.val_accuracy)
        state = ended.ending.state
        if state is State.WAITING:
            requeue(self.study, job.number, {DEATHS: job.deaths})
        elif state is State.COMPLETE and ended.best is not None:
            self.study.tell(trial, self.metric.of(ended.best))
        else:
            self.study.tell(trial, state=TrialState[state.value])
        self.log_progress()

    def log_progress(self) -> None:
        """Log counts and the best value so far in the study's run."""
        trials = self.study.get_trials(deepcopy=False)
        n_complete, n_pruned, n_failed = (
            sum(trial.state is state for trial in trials)
            for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        )
        metrics = {"n_complete": n_complete, "n_pruned": n_pruned, "n_failed": n_failed}
        accuracies = [trial.user_attrs[VAL_ACCURACY] for trial in trials if VAL_ACCURACY in trial.user_attrs]
        if accuracies:
            metrics["best_val_accuracy"] = max(accuracies)
        self.parent.log_figures(metrics, step=n_complete + n_pruned)

    def _waiting(self) -> list[optuna.trial.FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))

    def _ask(self) -> optuna.Trial:
        """Ask Optuna; a trial that waits has its knobs, so that no sampler may spend a draw on it."""
        settings = self.settings
        if self._waiting():
            self.study.sampler = RandomSampler(seed=settings.seed)
        else:
            draw = len(self.study.get_trials(deepcopy=False))
            self.study.sampler = make_sampler(settings.sampler, self.space, seed=settings.seed, draw=draw)
        trial = self.study.ask()
        trial.set_user_attr(OWNER, this_process())
        return trial

    def _job(self, trial: optuna.Trial) -> Job:
        seed = derive_seed(self.settings.seed, trial.number)
        known = trial.user_attrs
        return Job(
            name=f"trial-{trial.number:04d}", configuration=Configuration(self.space.suggest(trial)), seed=seed,
            number=trial.number, run_id=known.get(RUN_ID, ""), deaths=known.get(DEATHS, 0),
            tags={
                names.KIND: "trial", names.STUDY: self.study.study_name, names.TRIAL: str(trial.number),
                names.SPLIT: self.split, names.SEED: str(seed),
            },
        )  # fmt: skip

    def _is_pruned(self, number: int, value: float, step: int, *, is_last: bool) -> bool:
        """Report a value, unless a trial that goes on had reported it before, and ask the pruner."""
        trial = self._running[number]
        if step not in self._reported[number]:
            trial.report(value, step)
        return not is_last and trial.should_prune()

    def _keeps_model(self, value: float) -> bool:
        if self.settings.keep_models != "best":
            return self.settings.keep_models == "all"
        values = [trial.value for trial in finished_trials(self.study) if trial.value is not None]
        return not any(self.metric.is_better(other, value) for other in values)
