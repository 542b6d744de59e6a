"""The trials of a study as a source of jobs: Optuna is asked and told here, in the coordinating process alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from pipeline.errors import PipelineError
from pipeline.evaluation.limits import Limits
from pipeline.evaluation.objectives import Objective
from pipeline.knobs.space import SearchSpace
from pipeline.settings import SearchSettings
from pipeline.study.kept_models import KeptModels
from pipeline.study.samplers import derive_seed
from pipeline.study.storage import requeue
from pipeline.study.strategy import Proposal, Strategy
from pipeline.study.time_limit import TimeLimit
from pipeline.study.trial_attributes import DEATHS, OWNER, RUN_ID, VAL_ACCURACY
from pipeline.tracking import names
from pipeline.tracking.owner import this_process
from pipeline.tracking.parent_run import ParentRun
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import Metric
from pipeline.workers.events import Ended, EpochEnd, Report, Verdict
from pipeline.workers.job import Job
from pipeline.workers.source import close_run, open_run


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of a study as jobs; ``strategy`` decides, ``parent`` is the study's run.

    ``split`` is the digest of what judges the trials.
    """

    study: optuna.Study
    strategy: Strategy
    settings: SearchSettings
    space: SearchSpace
    metric: Metric
    objectives: tuple[Objective, ...]
    split: str
    parent: ParentRun
    time: TimeLimit
    models: KeptModels
    _running: dict[int, optuna.Trial] = field(default_factory=dict)

    def n_left(self, n_running: int) -> int:
        """Return how many trials may be started now, those that wait included."""
        return len(self._waiting()) or self.strategy.n_left(n_running)

    def most_workers(self) -> int | None:
        """Return among how many workers the strategy has the machine divided."""
        return self.strategy.most_workers()

    def next(self) -> Job | None:
        """Return a trial that waits, else the strategy's proposal; None while the tracking server is away."""
        trial = self._ask() if self.parent.store.outbox.is_open() else None
        if trial is None:
            return None
        try:
            job = open_run(self.parent, self._job(trial))
        except PipelineError:  # no configuration was found
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        except Exception as error:
            if self.parent.store.is_away(error):
                requeue(self.study, trial.number, {})
                return None
            raise
        trial.set_user_attr(RUN_ID, job.run_id)
        self._running[trial.number] = trial
        return job

    def report(self, job: Job, report: Report) -> Verdict:
        """Have the strategy judge an epoch or a fold."""
        self.time.record(self.study)
        keep_model = isinstance(report, EpochEnd) or self.models.keeps(job.number, self.metric.of(report.mean))
        return Verdict(self.strategy.judge(self._running[job.number], job, report), keep_model)

    def finish(self, job: Job, ended: Ended) -> Ended:
        """End the trial's run, then tell the study; a trial that waits keeps its number, seed and run."""
        trial = self._running.pop(job.number)
        if ended.best is not None:
            trial.set_user_attr(VAL_ACCURACY, ended.best.val_accuracy)
        if ended.ending.state is not State.WAITING:
            ended = self._judged_by_limits(self.strategy.conclude(trial, ended))
        close_run(self.parent, job, ended.ending)
        self._tell(trial, job, ended)
        self.models.settle(job.number)
        self.time.record(self.study, at_once=True)
        self.log_progress()
        return ended

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

    def _ask(self) -> optuna.Trial | None:
        """Ask Optuna; a trial that has its knobs already needs no draw of a sampler."""
        proposal = Proposal() if self._waiting() else self.strategy.propose()
        if proposal is None:
            return None
        if proposal.params is not None:
            self.study.enqueue_trial(proposal.params, user_attrs=dict(proposal.attributes))
        self.study.sampler = proposal.sampler or RandomSampler(seed=self.settings.seed)
        trial = self.study.ask()
        trial.set_user_attr(OWNER, this_process())
        return trial

    def _job(self, trial: optuna.Trial) -> Job:
        seed = derive_seed(self.settings.seed, trial.number)
        configuration = Configuration(self.space.suggest(trial))
        recorded = self.study.get_trials(deepcopy=False)[trial.number]
        known = recorded.user_attrs
        return Job(
            name=f"trial-{trial.number:04d}", configuration=configuration, seed=seed, number=trial.number,
            run_id=known.get(RUN_ID, ""), deaths=known.get(DEATHS, 0), budget=self.strategy.budget(recorded),
            measures_latency=self.settings.measures_latency,
            tags={
                names.KIND: "trial", names.STUDY: self.study.study_name, names.TRIAL: str(trial.number),
                names.SPLIT: self.split, names.SEED: str(seed), **self.strategy.tags(recorded),
            },
        )  # fmt: skip

    def _tell(self, trial: optuna.Trial, job: Job, ended: Ended) -> None:
        state = ended.ending.state
        if state is State.WAITING:
            requeue(self.study, job.number, {DEATHS: job.deaths})
        elif state is State.COMPLETE and ended.best is not None:
            self.study.tell(trial, [one.of(ended.figures) for one in self.objectives])
        else:
            self.study.tell(trial, state=TrialState[state.value])

    def _judged_by_limits(self, ended: Ended) -> Ended:
        """Return the end of a completed trial with the limit that its figures break as its reason."""
        limits = Limits(self.settings.max_parameters, self.settings.max_latency_ms)
        violation = limits.violation(ended.figures)
        if violation is None or not ended.ending.is_finish:
            return ended
        return replace(ended, ending=Ending(Cause.OVER_LIMIT, violation))
