"""The run of one training: knobs, live curves, figures, tables, model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import Metric, Param

from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore

_SECONDS_BETWEEN_WRITES = 1.0


@dataclass
class TrainingRun:
    """A training's run in the tracking store; epochs are written at most once a second: short ones cost little."""

    store: TrackingStore
    run_id: str
    experiment_id: str
    _waiting: list[Metric] = field(default_factory=list)
    _last_write: float = 0.0

    @classmethod
    def start(
        cls,
        store: TrackingStore,
        *,
        experiment_id: str,
        parent_run_id: str,
        name: str,
        tags: Mapping[str, str],
        parameters: Mapping[str, object],
    ) -> TrainingRun:
        """Make the run under another one."""
        client = store.client
        run = client.create_run(experiment_id, run_name=name, tags={"mlflow.parentRunId": parent_run_id, **tags})
        client.log_batch(run.info.run_id, params=[Param(key, str(value)) for key, value in parameters.items()])
        return cls(store, run.info.run_id, experiment_id)

    def log_epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a finished epoch, counted from 1."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, number) for name, value in metrics.items()]
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

    def end(self, state: names.State, reason: str) -> None:
        """Tag how the training ended and end the run with the status that goes with it."""
        self.flush()
        end_training_run(self.store, self.run_id, state, reason)


def end_training_run(store: TrackingStore, run_id: str, state: names.State, reason: str) -> None:
    """End a training's run, whoever started it."""
    store.tag_run(run_id, {names.STATE: state.value, **({names.REASON: reason} if reason else {})})
    store.client.set_terminated(run_id, state.run_status)
