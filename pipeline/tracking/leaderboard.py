"""The leaderboard: trials, hand-made models and all else that was judged on the same validation images."""

from __future__ import annotations

import pandas as pd
from mlflow.entities import Run

from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore
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
SPREAD_METRICS = ("best_val_accuracy_sd", "n_folds")  # columns only where a trial has them


def read_leaderboard(store: TrackingStore, *, split: str, metric: Metric, study: str | None = None) -> pd.DataFrame:
    """Return a row a training that has ended, the best first and failed ones last.

    ``split`` is the digest of the split that they were judged on. Of trials, only those of ``study`` are taken; None
    means all. Its columns: rank, run, kind, state, figures, knobs, reason, run_id.
    """
    return _ranked(_ended_trainings(store, split), metric, study)


def _ranked(runs: list[Run], metric: Metric, study: str | None) -> pd.DataFrame:
    rows = [_row(run) for run in runs if _belongs(run, study)]
    fixed = ["run", "kind", "state", *METRICS]
    table = pd.DataFrame(rows, columns=[*fixed, *_other_columns(rows, fixed)])
    table = table.assign(failed=table["state"] == names.State.FAIL).sort_values(
        ["failed", f"best_{metric.name}", "run"], ascending=[True, metric.direction == "minimize", True],
        ignore_index=True,
    )  # fmt: skip
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.drop(columns="failed")


def update_study_leaderboards(store: TrackingStore, *, split: str) -> None:
    """Write the leaderboard of every study on the split anew, by its own metric: something else was judged on it."""
    trainings = _ended_trainings(store, split)
    condition = f"tags.`{names.SPLIT}` = '{split}' AND tags.`{names.KIND}` = 'study'"
    for run in store.search_runs(condition):
        if "metric" in run.data.params:  # else it was killed before it had begun
            table = _ranked(trainings, get_metric(run.data.params["metric"]), run.data.tags[names.STUDY])
            store.client.log_text(run.info.run_id, table.to_csv(index=False), names.LEADERBOARD_FILE)


def _ended_trainings(store: TrackingStore, split: str) -> list[Run]:
    found = store.search_runs(f"tags.`{names.SPLIT}` = '{split}'")
    return [
        run
        for run in found
        if run.data.tags.get(names.KIND) in names.LEADERBOARD_KINDS and names.STATE in run.data.tags
    ]


def _belongs(run: Run, study: str | None) -> bool:
    return study is None or run.data.tags.get(names.STUDY, study) == study


def _row(run: Run) -> dict[str, object]:
    figures = {name: run.data.metrics.get(name) for name in METRICS}
    figures |= {name: run.data.metrics[name] for name in SPREAD_METRICS if name in run.data.metrics}
    tags = {"reason": run.data.tags.get(names.REASON, ""), "run_id": run.info.run_id}
    return {
        "run": run.info.run_name,
        "kind": run.data.tags[names.KIND],
        "state": run.data.tags[names.STATE],
        **figures,
        **run.data.params,
        **tags,
    }


def _other_columns(rows: list[dict[str, object]], fixed: list[str]) -> list[str]:
    seen = dict.fromkeys(name for row in rows for name in row if name not in fixed)
    last = ("reason", "run_id")
    return [name for name in seen if name not in last] + [name for name in last if name in seen]
