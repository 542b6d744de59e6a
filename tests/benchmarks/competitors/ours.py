"""Our own ``search``, as the command line runs it, in a tracking store of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from mlflow.entities import Run

from pipeline.tracking import names
from pipeline.tracking.recorded import TrainingRecord, search_trainings
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import State

from .spaces import write_bad_space
from .task import Task

BAD_PRIOR = "ours_bad_prior"
_STUDY = "benchmark"


def run(task: Task) -> None:
    """Run the command with the timeout that is left now that its libraries are loaded, which belongs to the budget."""
    import pipeline.study.search  # noqa: F401
    from pipeline.cli import main

    space = task.space_path
    if task.competitor == BAD_PRIOR:
        space = write_bad_space(space, task.path / "bad_space.yaml")
    os.environ["MLFLOW_TRACKING_URI"] = store_of(task).uri
    os.chdir(task.path)
    sys.argv = [
        *("pipeline", "search", "--dataset", task.dataset, "--space", str(space), "--study", _STUDY),
        *("--seed", str(task.seed), "--workers", "1", "--precision", task.precision),
        *("--timeout-minutes", f"{task.seconds_left() / 60:.4f}"),
        *(("--trials", "3", "--epochs", str(task.most_epochs)) if task.most_epochs is not None else ()),
    ]
    main()


def store_of(task: Task) -> TrackingStore:
    """Return the tracking store of the task."""
    return TrackingStore(f"sqlite:///{task.path / 'mlflow.db'}")


def held(task: Task) -> TrainingRecord | None:
    """Return the trial whose model the search holds: the final training, else the best completed one, else the best."""
    records = [one for one in search_trainings(store_of(task), _condition()) if one.model_ids and _in_time(one, task)]
    final = [one for one in records if one.tags.get(names.RUNG) == names.FINAL_RUNG]
    complete = [one for one in records if one.state is State.COMPLETE]
    best = sorted(final or complete or records, key=lambda one: one.metrics["best_val_accuracy"])
    return best[-1] if best else None


def write_progress(task: Task) -> None:
    """Write the progress file from the tracking store: an epoch's line has the time at which it was logged."""
    points = sorted(_points(task), key=lambda point: point["seconds"])
    best = -1.0
    with task.progress_file.open("w") as file:
        for point in points:
            if "val_accuracy" in point:
                best = max(best, point["val_accuracy"])
                point["best"] = best
            file.write(json.dumps(point) + "\n")


def _points(task: Task) -> Iterator[dict[str, Any]]:
    store = store_of(task)
    runs = sorted(_runs(store), key=lambda run: int(run.info.start_time))
    for number, run in enumerate(runs, start=1):
        told = {"origin": run.data.tags.get(names.ORIGIN), "rung": run.data.tags.get(names.RUNG)}
        yield {"seconds": _seconds(run.info.start_time, task), "training": number, "knobs": run.data.params, **told}
        for point in store.client.get_metric_history(run.info.run_id, "val_accuracy"):
            seconds = _seconds(point.timestamp, task)
            if seconds <= 60 * task.minutes + task.grace_seconds:
                yield {"seconds": seconds, "training": number, "epoch": point.step, "val_accuracy": point.value}


def _runs(store: TrackingStore) -> Iterable[Run]:
    return store.search_runs(_condition()) if store.exists else []


def _condition() -> str:
    return f"tags.`{names.KIND}` = 'trial'"


def _in_time(record: TrainingRecord, task: Task) -> bool:
    if record.state is None or "best_val_accuracy" not in record.metrics:
        return False
    end = record.store.client.get_run(record.run_id).info.end_time
    return _seconds(end, task) <= 60 * task.minutes + task.grace_seconds


def _seconds(milliseconds: int, task: Task) -> float:
    return round(milliseconds / 1000 - task.start, 3)
