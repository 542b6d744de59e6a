"""The run of one training: knobs, live curves, figures, tables, model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import Run

from pipeline.tracking.outage import Answer, OnWait, do_nothing, wait_out
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.write import Point, Write

_SECONDS_BETWEEN_WRITES = 1.0


@dataclass
class TrainingRun:
    """A training's run in the tracking store; epochs are written at most once a second: short ones cost little.

    ``goes_on``: another worker has logged epochs in it before.
    """

    store: TrackingStore
    run_id: str
    experiment_id: str
    on_wait: OnWait = do_nothing
    goes_on: bool = False
    _last_steps: dict[str, int] = field(default_factory=dict)
    _waiting: list[Point] = field(default_factory=list)
    _last_write: float = 0.0

    @classmethod
    def resume(cls, store: TrackingStore, run_id: str, on_wait: OnWait = do_nothing) -> TrainingRun:
        """Go on with a run that was started; epochs that it has already are not written again.

        ``on_wait`` is called every two seconds while a server does not answer, and may raise.
        """
        unsent = [point for write in store.outbox.unsent(run_id) for point in write.points]  # before what is sent
        run, last_steps = wait_out(store.uri, lambda: _read(store, run_id), on_wait)
        for name, _, _, step, _ in unsent:
            last_steps[name] = max(step, last_steps.get(name, 0))
        return cls(store, run_id, run.info.experiment_id, on_wait, bool(last_steps), last_steps)

    def send(self, act: Callable[[], Answer]) -> Answer:
        """Return what ``act``, which needs the store, returns; wait where a server does not answer."""
        return wait_out(self.store.uri, act, self.on_wait)

    def log_epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a finished epoch, counted from 1."""
        now = int(time.time() * 1000)
        fresh = {name: value for name, value in metrics.items() if number > self._last_steps.get(name, 0)}
        self._waiting += [(name, value, now, number, None) for name, value in fresh.items()]
        if time.monotonic() - self._last_write >= _SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write the epochs that wait."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.store.outbox.write(Write(self.run_id, points=tuple(waiting)))
        self._last_write = time.monotonic()

    def log_summary(self, metrics: Mapping[str, float], *, model_id: str | None = None) -> None:
        """Log single figures, for the run and for its model."""
        now = int(time.time() * 1000)
        self._waiting += [(name, value, now, 0, model_id) for name, value in metrics.items()]
        self.flush()

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        self.store.outbox.write(Write(self.run_id, tags=tags))

    def log_figure(self, figure: Figure, artifact: str) -> None:
        """Write a figure as an artifact."""
        how = {"pil_kwargs": {"compress_level": 1}}
        self.send(lambda: self.store.client.log_figure(self.run_id, figure, artifact, save_kwargs=how))

    def log_table(self, table: pd.DataFrame, artifact: str) -> None:
        """Write a table with its row names as a CSV artifact."""
        self.log_text(table.to_csv(), artifact)

    def log_file(self, path: Path, folder: str) -> None:
        """Write a file as an artifact in a ``folder``."""
        self.send(lambda: self.store.client.log_artifact(self.run_id, str(path), folder))

    def log_text(self, text: str, artifact: str) -> None:
        """Write a text as an artifact."""
        self.send(lambda: self.store.client.log_text(self.run_id, text, artifact))


def _read(store: TrackingStore, run_id: str) -> tuple[Run, dict[str, int]]:
    """Return a run, and the last step of each of its metrics."""
    run = store.client.get_run(run_id)
    histories = {name: store.client.get_metric_history(run_id, name) for name in run.data.metrics}
    return run, {name: max(point.step for point in history) for name, history in histories.items()}
