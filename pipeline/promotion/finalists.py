"""The finalists: a study's best configurations, each trained anew over several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from pipeline.baselines.job import Job
from pipeline.data.source import TrainingData
from pipeline.errors import SettingError, TrainingsFailed
from pipeline.evaluation.uncertainty import Scores, is_inside_noise, standard_error
from pipeline.settings import TrainingSettings
from pipeline.study.samplers import derive_seed
from pipeline.tracking import names
from pipeline.tracking.leaderboard import rank_trainings
from pipeline.tracking.recorded import StudyRecord, TrainingRecord
from pipeline.tracking.store import TrackingStore
from pipeline.training.metric import Metric

_TRIALS_AT_MOST = 100_000


@dataclass(frozen=True)
class Finalist:
    """A configuration with its scores over seeds, and the epochs that had them."""

    training: TrainingRecord
    scores: Scores
    best_epochs: tuple[int, ...]
    n_parameters: int

    @property
    def n_epochs(self) -> int:
        """The epochs that its trainings settled on: the mean of their best ones."""
        return max(1, round(fmean(self.best_epochs)))


def choose_finalists(
    store: TrackingStore, study: StudyRecord, *, metric: Metric, n_finalists: int
) -> list[TrainingRecord]:
    """Return the best distinct configurations on the study's images, hand-made ones included, the best first.

    A training that was pruned or failed has shown nothing; the classical model is no network, and no finalist.

    Raises:
        SettingError: no network was trained to its end.
    """
    chosen: dict[object, TrainingRecord] = {}
    for training in rank_trainings(store, split=study.split, metric=metric, study=study.name):
        is_candidate = training.state is names.State.COMPLETE and "epochs" in training.parameters
        if is_candidate and len(chosen) < n_finalists:
            chosen.setdefault((*sorted(training.parameters.items()), training.hand_made), training)
    if not chosen:
        raise SettingError(
            f"study must have a network that was trained to its end, got '{study.name}' without one; search on first"
        )
    return list(chosen.values())


def finalist_jobs(finalists: Sequence[TrainingRecord], study: StudyRecord, *, seed: int, n_seeds: int) -> list[Job]:
    """Return the jobs of training each finalist with ``n_seeds`` seeds that follow from the study's ``seed``."""
    return [_job(training, study, seed, number) for training in finalists for number in range(1, n_seeds + 1)]


def finalist_seed(seed: int, number: int) -> int:
    """Return a seed that neither a trial nor a baseline had: one by which a finalist was chosen would flatter it."""
    return derive_seed(seed, _TRIALS_AT_MOST + number)


def _job(training: TrainingRecord, study: StudyRecord, seed: int, number: int) -> Job:
    return Job(
        name=f"{training.name}-seed-{number}", configuration=training.configuration(),
        seed=finalist_seed(seed, number), files=training.files(),
        tags={names.KIND: "finalist", names.STUDY: study.name, names.FINALIST_OF: training.run_id},
    )  # fmt: skip


def judge(
    finalists: Sequence[TrainingRecord], jobs: Sequence[Job], done: Mapping[str, TrainingRecord], *,
    data: TrainingData, settings: TrainingSettings, metric: Metric,
) -> list[Finalist]:  # fmt: skip
    """Return the finalists, the best mean first; one that did not come to its end with every seed is left out.

    ``done`` are finished trainings by fingerprint.

    Raises:
        TrainingsFailed: none came to its end with every seed.
    """
    runs: dict[str, list[TrainingRecord | None]] = {training.run_id: [] for training in finalists}
    for job in jobs:
        runs[job.tags[names.FINALIST_OF]].append(done.get(job.fingerprint(data, settings)))
    complete = {run_id: [run for run in found if run] for run_id, found in runs.items() if all(found)}
    judged = [_finalist(one, complete[one.run_id], metric) for one in finalists if one.run_id in complete]
    if not judged:
        raise TrainingsFailed("no finalist came to the end of its training with every seed; see their runs for why")
    return sorted(judged, key=lambda one: one.scores.mean, reverse=metric.direction == "maximize")


def _finalist(training: TrainingRecord, runs: Sequence[TrainingRecord], metric: Metric) -> Finalist:
    figures = [run.metrics for run in runs]
    return Finalist(
        training=training,
        scores=Scores(tuple(one[f"best_{metric.name}"] for one in figures)),
        best_epochs=tuple(int(one["best_epoch"]) for one in figures),
        n_parameters=int(figures[0]["n_parameters"]),
    )


def finalists_table(finalists: Sequence[Finalist], metric: Metric) -> pd.DataFrame:
    """Return a row a finalist: mean and spread over seeds, and the single scores."""
    return pd.DataFrame(
        {
            "rank": rank,
            "run": one.training.name,
            f"mean_{metric.name}": one.scores.mean,
            "seed_spread": one.scores.spread,
            "n_seeds": len(one.scores.values),
            "scores": " ".join(f"{value:.4f}" for value in one.scores.values),
            "epochs": one.n_epochs,
            "n_parameters": one.n_parameters,
            "run_id": one.training.run_id,
        }
        for rank, one in enumerate(finalists, start=1)
    )


def noise_line(finalists: Sequence[Finalist], metric: Metric) -> str | None:
    """Return a line where the winner is inside the noise of the next one, else None."""
    if len(finalists) < 2:
        return None
    winner, second = finalists[:2]
    if not is_inside_noise(winner.scores, second.scores):
        return None
    lead = f"{winner.training.name} leads {second.training.name} by {abs(winner.scores.mean - second.scores.mean):.4f}"
    if len(winner.scores.values) < 2:
        return f"{lead} of {metric.name}, from one seed each, which shows no noise; raise --seeds"
    error = standard_error((winner.scores, second.scores))
    return f"{lead} of {metric.name}, inside the noise: less than the standard error of the difference, {error:.4f}"
