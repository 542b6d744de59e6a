"""The run of one training: knobs, live curves, figures, tables, model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import Metric

from pipeline.tracking.store import TrackingStore

_SECONDS_BETWEEN_WRITES = 1.0


@dataclass
class TrainingRun:
    """A training's run in the tracking store; epochs are written at most once a second: short ones cost little."""

    store: TrackingStore
    run_id: str
    experiment_id: str
    _last_steps: Mapping[str, int] = field(default_factory=dict)
    _waiting: list[Metric] = field(default_factory=list)
    _last_write: float = 0.0

    @classmethod
    def resume(cls, store: TrackingStore, run_id: str) -> TrainingRun:
        """Go on with a run that was started; epochs that it has already are not written again."""
        run = store.client.get_run(run_id)
        histories = {name: store.client.get_metric_history(run_id, name) for name in run.data.metrics}
        last_steps = {name: max(point.step for point in history) for name, history in histories.items()}
        return cls(store, run_id, run.info.experiment_id, last_steps)

    def log_epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a finished epoch, counted from 1."""
        now = int(time.time() * 1000)
        fresh = {name: value for name, value in metrics.items() if number > self._last_steps.get(name, 0)}
        self._waiting += [Metric(name, value, now, number) for name, value in fresh.items()]
        if time.monotonic() - self._last_write >= _SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write the epochs that wait."""
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), 1000):
            self.store.client.log_batch(self.run_id, metrics=waiting[start : start + 1000])
        self._last_write = time.monotonic()

    def log_summary(self, metrics: Mapping[str, float], *, model_id: str | None = None) -> None:
        """Log single figures, for the run and for its model."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, 0, model_id=model_id) for name, value in metrics.items()]
        self.flush()

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        self.store.tag_run(self.run_id, tags)

    def log_figure(self, figure: Figure, artifact: str) -> None:
        """Write a figure as an artifact."""
        self.store.client.log_figure(self.run_id, figure, artifact, save_kwargs={"pil_kwargs": {"compress_level": 1}})

    def log_table(self, table: pd.DataFrame, artifact: str) -> None:
        """Write a table with its row names as a CSV artifact."""
        self.log_text(table.to_csv(), artifact)

    def log_text(self, text: str, artifact: str) -> None:
        """Write a text as an artifact."""
        self.store.client.log_text(self.run_id, text, artifact)
