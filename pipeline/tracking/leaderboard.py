"""The leaderboard of a study, read from the tracking store."""

from __future__ import annotations

import pandas as pd
from mlflow.entities import Run

from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore

METRICS = (
    "best_val_accuracy",
    "best_val_loss",
    "best_epoch",
    "n_parameters",
    "train_seconds",
    "images_per_second",
)
_PAGE = 1000


def read_leaderboard(
    store: TrackingStore, experiment_id: str, study: str, *, metric: str, maximize: bool
) -> pd.DataFrame:
    """Return a row a trial that has ended, the best first and failed ones last.

    Its columns: rank, run, state, figures, knobs, reason, run_id.
    """
    rows = [_row(run) for run in _trial_runs(store, experiment_id, study)]
    fixed = ["run", "state", *METRICS]
    table = pd.DataFrame(rows, columns=[*fixed, *_other_columns(rows, fixed)])
    table = table.assign(failed=table["state"] == names.State.FAIL).sort_values(
        ["failed", f"best_{metric}", "run"], ascending=[True, not maximize, True], ignore_index=True
    )
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.drop(columns="failed")


def _trial_runs(store: TrackingStore, experiment_id: str, study: str) -> list[Run]:
    condition = f"tags.`{names.KIND}` = 'trial' AND tags.`{names.STUDY}` = '{study}'"
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = store.client.search_runs([experiment_id], condition, max_results=_PAGE, page_token=token)
        runs += [run for run in page if names.STATE in run.data.tags]
        token = page.token
        if not token:
            return runs


def _row(run: Run) -> dict[str, object]:
    figures = {name: run.data.metrics.get(name) for name in METRICS}
    tags = {"reason": run.data.tags.get(names.REASON, ""), "run_id": run.info.run_id}
    return {
        "run": run.info.run_name,
        "state": run.data.tags[names.STATE],
        **figures,
        **run.data.params,
        **tags,
    }


def _other_columns(rows: list[dict[str, object]], fixed: list[str]) -> list[str]:
    seen = dict.fromkeys(name for row in rows for name in row if name not in fixed)
    last = ("reason", "run_id")
    return [name for name in seen if name not in last] + [name for name in last if name in seen]
