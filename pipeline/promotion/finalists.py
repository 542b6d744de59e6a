"""The finalists: a study's best configurations, trained over several seeds, and the refit of the winner."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from pipeline.errors import SettingError, TrainingsFailed
from pipeline.evaluation.limits import Limits
from pipeline.evaluation.uncertainty import seed_spread, standard_error_of_difference
from pipeline.study.samplers import derive_seed
from pipeline.tracking import names
from pipeline.tracking.leaderboard import rank_trainings
from pipeline.tracking.recorded import StudyRecord, TrainingRecord
from pipeline.tracking.store import TrackingStore
from pipeline.training.budget import Budget
from pipeline.training.configuration import Configuration
from pipeline.training.ending import State
from pipeline.training.metric import Metric
from pipeline.workers.job import Job

_SEED_OFFSET = 100_000  # above any trial's number, which the trial's own seed is derived from


@dataclass(frozen=True)
class Finalist:
    """A training of the study with its scores over several seeds, the best epochs of those trainings, and budgets."""

    training: TrainingRecord
    scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    n_parameters: int
    seed_budgets: tuple[Budget, ...] = ()

    @property
    def mean_score(self) -> float:
        """Mean of the scores."""
        return fmean(self.scores)

    @property
    def seed_spread(self) -> float:
        """Standard deviation of the scores; 0 for a single one."""
        return seed_spread(self.scores)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Budget of the refit, where the trainings had one: of several folds, that of the middle length."""
        budgets = sorted(self.seed_budgets, key=lambda budget: budget.steps.n_steps if budget.steps else 0)
        return tuple(budgets[len(budgets) // 2 :][:1])

    @property
    def n_epochs(self) -> int:
        """Epochs of the refit: the mean of the best epochs, or those that the training's budget came to."""
        if self.budgets:
            return self.budgets[0].n_epochs(most=sys.maxsize)
        return max(1, round(fmean(self.best_epochs)))

    @property
    def image_size(self) -> int:
        """Side that its images are resized to, in pixels; 0: as they are."""
        return self.training.configuration().image_size


def choose_finalists(
    store: TrackingStore, study: StudyRecord, *, metric: Metric, n_finalists: int, limits: Limits
) -> list[TrainingRecord]:
    """Return the best distinct configurations on the study's split, hand-made ones included, the best first.

    Only completed trainings of networks count: no pruned or failed ones, and not the classical model. Those over one of
    the ``limits``, as far as they were measured, are left out: with several objectives, the first is then the best on
    the Pareto front within the limits. Those that were short, on a rung of a bracket, come after all others.

    Raises:
        SettingError: there is none.
    """
    ranked = rank_trainings(store, split=study.split, metric=metric, study=study.name)
    candidates = [one for one in ranked if one.state is State.COMPLETE and "epochs" in one.parameters]
    if not candidates:
        raise SettingError(f"study must have a completed training of a network, got '{study.name}'; search on first")
    violations = {one.run_id: limits.violation(one.metrics) for one in candidates}
    chosen: dict[object, TrainingRecord] = {}
    for training in sorted(candidates, key=_is_short):
        if violations[training.run_id] is None:
            chosen.setdefault(_configuration_key(training), training)
    if not chosen:
        best = candidates[0]
        raise SettingError(
            f"the limits must leave a completed training of study '{study.name}', got none of {len(candidates)} "
            f"({violations[best.run_id]} in the best, {best.name}); raise them, or search with them"
        )
    return list(chosen.values())[:n_finalists]


def _is_short(training: TrainingRecord) -> bool:
    return training.tags.get(names.RUNG, names.FINAL_RUNG) != names.FINAL_RUNG


def _configuration_key(training: TrainingRecord) -> object:
    """Return what two trainings of one configuration share; on rungs and in the final, ``epochs`` is only a limit."""
    ignored = ("epochs",) if names.RUNG in training.tags else ()
    return *sorted(pair for pair in training.parameters.items() if pair[0] not in ignored), training.model_file_text


def finalist_jobs(finalists: Sequence[TrainingRecord], study: StudyRecord, *, seed: int, n_seeds: int) -> list[Job]:
    """Return the jobs of training each finalist with ``n_seeds`` seeds derived from the study's ``seed``.

    No trial and no baseline had these seeds: a score with the seed that a finalist was chosen by would be too good.
    One that was trained only briefly, on a rung, gets the length of the final training.
    """
    finals = [one for one in finalists if one.tags.get(names.RUNG) == names.FINAL_RUNG]
    return [
        _job(
            training, study, kind="finalist", suffix=f"seed-{number}", configuration=training.configuration(),
            seed=derive_seed(seed, _SEED_OFFSET + number),
            budgets=(finals[0] if finals and _is_short(training) else training).budgets(),
        )
        for training in finalists
        for number in range(1, n_seeds + 1)
    ]  # fmt: skip


def refit_job(winner: Finalist, study: StudyRecord, *, seed: int) -> Job:
    """Return the job of fitting the winner on training and validation images, for as many epochs as it should have."""
    configuration = winner.training.configuration().without_validation(winner.n_epochs)
    return _job(
        winner.training, study, kind="refit", suffix="refit", configuration=configuration, seed=seed,
        budgets=winner.budgets,
    )  # fmt: skip


def _job(
    training: TrainingRecord, study: StudyRecord, *, kind: str, suffix: str, configuration: Configuration, seed: int,
    budgets: tuple[Budget, ...],
) -> Job:  # fmt: skip
    tags = {names.KIND: kind, names.STUDY: study.name, names.FINALIST_OF: training.run_id}
    return Job(
        f"{training.name}-{suffix}", configuration, seed, tags, validates=kind != "refit", files=training.files(),
        fold_budgets=budgets,
    )  # fmt: skip


def rank_finalists(
    finalists: Sequence[TrainingRecord], jobs: Sequence[Job], runs: Sequence[TrainingRecord | None], metric: Metric
) -> list[Finalist]:
    """Return the finalists whose trainings were all completed, the best mean first.

    ``runs`` are the completed trainings of the ``jobs``, in their order; None for one that failed.

    Raises:
        TrainingsFailed: there is no such finalist.
    """
    runs_of: dict[str, list[TrainingRecord | None]] = {training.run_id: [] for training in finalists}
    for job, run in zip(jobs, runs, strict=True):
        runs_of[job.tags[names.FINALIST_OF]].append(run)
    complete = {run_id: [run for run in found if run] for run_id, found in runs_of.items() if all(found)}
    ranked = [_finalist(one, complete[one.run_id], metric) for one in finalists if one.run_id in complete]
    if not ranked:
        raise TrainingsFailed("no finalist completed its trainings with all seeds; their runs have the reasons")
    return sorted(ranked, key=lambda one: metric.loss_of(one.mean_score))


def _finalist(training: TrainingRecord, runs: Sequence[TrainingRecord], metric: Metric) -> Finalist:
    figures = [run.metrics for run in runs]
    return Finalist(
        training=training,
        scores=tuple(one[f"best_{metric.name}"] for one in figures),
        best_epochs=tuple(int(one["best_epoch"]) for one in figures),
        n_parameters=int(figures[0]["n_parameters"]),
        seed_budgets=runs[0].budgets(),
    )


def finalists_table(finalists: Sequence[Finalist], metric: Metric) -> pd.DataFrame:
    """Return a row for each finalist: mean and standard deviation over the seeds, and the single scores."""
    return pd.DataFrame(
        {
            "rank": rank,
            "run": one.training.name,
            f"mean_{metric.name}": one.mean_score,
            "seed_spread": one.seed_spread,
            "n_seeds": len(one.scores),
            "scores": " ".join(f"{value:.4f}" for value in one.scores),
            "epochs": one.n_epochs,
            "n_parameters": one.n_parameters,
            "run_id": one.training.run_id,
        }
        for rank, one in enumerate(finalists, start=1)
    )


def describe_small_lead(finalists: Sequence[Finalist], metric: Metric) -> str | None:
    """Return a line where the winner leads the second by less than one standard error of the difference, else None.

    With one seed each there is no standard error, and the line says so.
    """
    if len(finalists) < 2:
        return None
    winner, second = finalists[:2]
    lead, error = abs(winner.mean_score - second.mean_score), standard_error_of_difference(winner.scores, second.scores)
    if lead >= error:
        return None
    line = f"{winner.training.name} leads {second.training.name} by {lead:.4f} {metric.name}"
    if len(winner.scores) < 2:
        return f"{line}, with one seed each: no standard error is known; raise --seeds"
    return f"{line}, less than one standard error of the difference ({error:.4f})"
