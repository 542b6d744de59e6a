"""Classical Optuna: a sampler and a pruner over whole trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from pipeline.evaluation.latency import LATENCY
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.settings import SearchSettings
from pipeline.study.fits import FINISHED, VALUE
from pipeline.study.limited_sampler import LimitedSampler
from pipeline.study.samplers import is_exhausted, make_sampler, takes_constraints
from pipeline.study.strategy import Proposal
from pipeline.training.budget import Budget
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric
from pipeline.workers.events import Ended, EpochEnd, Report
from pipeline.workers.job import Job


@dataclass(frozen=True, eq=False)
class WholeTrainings:
    """The strategy ``plain``: each trial trains its own epochs, unless the study's pruner stops it.

    ``first`` are the parameters of the trials that come first. Where ``keeps_limits`` is given, the sampler is asked
    again until it proposes a configuration that does.
    """

    study: optuna.Study
    settings: SearchSettings
    space: SearchSpace
    metric: Metric
    n_folds: int
    first: tuple[Knobs, ...] = ()
    keeps_limits: Callable[[Knobs], bool] | None = None

    grace_seconds = 0.0

    def n_left(self, n_running: int) -> int:
        """Return what is left of the trials: none where the grid is used up."""
        if is_exhausted(self.settings.sampler, self.space, self.study):
            return 0
        n_finished = len(self.study.get_trials(deepcopy=False, states=FINISHED))
        return max(0, self.settings.most_trials - n_finished - n_running)

    def most_workers(self) -> int | None:
        """Divide the machine among all workers."""
        return None

    def propose(self) -> Proposal | None:
        """Return the next of the first trials, then leave the knobs to the sampler."""
        tried = [trial.system_attrs.get("fixed_params") for trial in self.study.get_trials(deepcopy=False)]
        params = next((params for params in self.first if params not in tried), None)
        return Proposal(sampler=self._sampler(draw=len(tried))) if params is None else Proposal(params)

    def _sampler(self, draw: int) -> BaseSampler:
        """Return a sampler of its own for each trial."""
        name, seed = self.settings.sampler, self.settings.seed
        sampler = make_sampler(name, self.space, seed=seed, draw=draw)
        if self.keeps_limits is None:
            return sampler
        fallback = make_sampler("random", self.space, seed=seed, draw=draw)
        return LimitedSampler(sampler, fallback, self.space.distributions(), self.keeps_limits)

    def budget(self, trial: FrozenTrial) -> Budget:
        """Give each trial its own epochs."""
        return Budget()

    def tags(self, trial: FrozenTrial) -> Mapping[str, str]:
        """Return no tags."""
        return {}

    def judge(self, trial: optuna.Trial, job: Job, report: Report) -> Ending | None:
        """Report an epoch, or with folds a fold, to the study, and have its pruner judge it.

        Optuna takes no reports in a study of several objectives.
        """
        if isinstance(report, EpochEnd) != (self.n_folds == 1) or len(self.settings.objective_names) > 1:
            return None
        if isinstance(report, EpochEnd):
            value, step, last = self.metric.of(report.epoch), report.epoch.number, job.n_epochs
            reason = f"{self.metric.name} {value:.4f} after epoch {step} is not among the best"
        else:
            value, step, last = self.metric.of(report.best), report.fold, self.n_folds
            reason = f"{self.metric.name} of the first {step} folds is worse than the best trial's"
        if step not in trial.storage.get_trial(trial._trial_id).intermediate_values:  # as one that goes on may have it
            trial.report(value, step)
        return Ending(Cause.PRUNED, reason) if step < last and trial.should_prune() else None

    def conclude(self, trial: optuna.Trial, ended: Ended) -> Ended:
        """Keep the metric and the constraint with the trial; the end stays as it is."""
        if ended.best is not None:
            trial.set_user_attr(VALUE, self.metric.of(ended.best))
        limit, sampler = self.settings.max_latency_ms, self.settings.sampler
        if limit is not None and LATENCY in ended.figures and takes_constraints(sampler):
            trial.set_constraint("max_latency_ms", ended.figures[LATENCY] - limit)
        return ended

    def close(self) -> None:
        """Say nothing."""
