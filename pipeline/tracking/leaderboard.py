"""The leaderboard: trials, hand-made models and all other trainings that were validated on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from pipeline.evaluation.latency import LATENCY
from pipeline.evaluation.objectives import ParetoFront
from pipeline.tracking import names
from pipeline.tracking.recorded import TrainingRecord, search_trainings
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import State
from pipeline.training.metric import Metric, get_metric

METRICS = (
    "best_val_accuracy",
    "best_val_loss",
    "reported_accuracy",
    "best_epoch",
    "n_parameters",
    "train_seconds",
    "images_per_second",
)
ON_FRONT = "on_front"  # whether a trial is on the Pareto front of its study; a column where there is one
_OPTIONAL_METRICS = ("best_val_accuracy_sd", "n_folds", LATENCY)  # columns only where a trial has them
REPORTED_ON = "reported_on"  # the images that reported_accuracy was measured on, and how many
_FIRST, _LAST = ("run", "kind", "state", *METRICS, REPORTED_ON), ("reason", "run_id")


def rank_trainings(
    store: TrackingStore, *, split: str, metric: Metric, study: str | None = None
) -> list[TrainingRecord]:
    """Return the trainings that have ended, the best first and failed ones last.

    ``split`` is the digest of the split that they were validated on. Of trials, only those of ``study`` are taken;
    None takes all.
    """
    return _ranked(_ended_trainings(store, split), metric, study)


def read_leaderboard(
    store: TrackingStore, *, split: str, metric: Metric, study: str | None = None, front: ParetoFront | None = None
) -> pd.DataFrame:
    """Return the ranked trainings as a table: rank, run, kind, state, figures, knobs, reason, run_id.

    With a ``front``, that of a study with several objectives, the table says which trials are on it.
    """
    return _table(rank_trainings(store, split=split, metric=metric, study=study), front)


def update_study_leaderboards(store: TrackingStore, *, split: str) -> None:
    """Rewrite the leaderboard of every study on the split, ranked by the study's own metric."""
    trainings = _ended_trainings(store, split)
    condition = f"tags.`{names.SPLIT}` = '{split}' AND tags.`{names.KIND}` = 'study'"
    for run in store.search_runs(condition):
        settings = run.data.params
        if "metric" in settings:  # missing where the search was killed before it logged its settings
            ranked = _ranked(trainings, get_metric(settings["metric"]), run.data.tags[names.STUDY])
            table = _table(ranked, ParetoFront.of(settings))
            store.client.log_text(run.info.run_id, table.to_csv(index=False), names.LEADERBOARD_FILE)


def _ended_trainings(store: TrackingStore, split: str) -> list[TrainingRecord]:
    found = search_trainings(store, f"tags.`{names.SPLIT}` = '{split}'")
    return [one for one in found if one.kind in names.LEADERBOARD_KINDS and one.state is not None]


def _ranked(trainings: Iterable[TrainingRecord], metric: Metric, study: str | None) -> list[TrainingRecord]:
    def place(training: TrainingRecord) -> tuple[bool, bool, float, str]:
        value = metric.loss_of(training.metrics.get(f"best_{metric.name}", math.nan))
        is_missing = math.isnan(value)
        return training.state is State.FAIL, is_missing, 0 if is_missing else value, training.name

    return sorted((one for one in trainings if study in (None, one.tags.get(names.STUDY, study))), key=place)


def _table(trainings: Sequence[TrainingRecord], front: ParetoFront | None) -> pd.DataFrame:
    rows = [_row(training) for training in trainings]
    others = dict.fromkeys(name for row in rows for name in row if name not in (*_FIRST, *_LAST))
    table = pd.DataFrame(rows, columns=[*_FIRST, *others, *_LAST])
    if front is not None:
        table.insert(len(_FIRST), ON_FRONT, _on_front(trainings, front))
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def _on_front(trainings: Sequence[TrainingRecord], front: ParetoFront) -> list[bool]:
    """Return which trainings are on the front of the completed trials."""
    candidates = [one for one in trainings if one.kind == "trial" and one.state is State.COMPLETE]
    is_member = dict(zip(candidates, front.members([one.metrics for one in candidates]), strict=True))
    return [is_member.get(one, False) for one in trainings]


def _row(training: TrainingRecord) -> dict[str, object]:
    metrics = training.metrics
    return {
        "run": training.name,
        "kind": training.kind,
        "state": training.state and training.state.value,
        **{name: metrics.get(name) for name in METRICS},
        REPORTED_ON: training.tags.get(names.REPORTED_ON),
        **{name: metrics[name] for name in _OPTIONAL_METRICS if name in metrics},
        **training.parameters,
        "reason": training.tags.get(names.REASON, ""),
        "run_id": training.run_id,
    }
