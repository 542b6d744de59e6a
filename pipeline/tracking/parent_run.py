"""The run that a command's trainings stand under: its settings, its data, how far it is, its leaderboard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.exceptions import MlflowException

from pipeline.data.source import TrainingData
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import end_training_run

_MAX_DATASET_PROFILE = 16_000_000


@dataclass(frozen=True)
class ParentRun:
    """The run of a study, or of another command that trains."""

    store: TrackingStore
    run_id: str
    experiment_id: str

    @classmethod
    def open(
        cls, store: TrackingStore, *, name: str, tags: Mapping[str, str], experiment_id: str, adopted: str | None,
        earlier: str | None = None,
    ) -> ParentRun:  # fmt: skip
        """Go on with the ``earlier`` run, else adopt that of ``mlflow run``, else make one.

        Where there is an earlier run, the adopted one is tagged as its continuation, so that all trials of a study
        stand under one run.
        """
        client = store.client
        found = _living_run(store, earlier)
        if found is not None:
            if adopted is not None and adopted != found.info.run_id:
                _mark_continuation(store, adopted, found.info.run_id, name=name, tags=tags)
            client.update_run(found.info.run_id, status="RUNNING")
            return cls(store, found.info.run_id, found.info.experiment_id)
        if adopted is None:
            adopted = client.create_run(experiment_id, run_name=name).info.run_id
        else:
            client.update_run(adopted, name=name)
        for key, value in tags.items():
            client.set_tag(adopted, key, value)
        return cls(store, adopted, experiment_id)

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """Log the settings as parameters; those that the run already has stay as they were first given."""
        client = self.store.client
        present = client.get_run(self.run_id).data.params
        fresh = [Param(name, value) for name, value in settings.items() if name not in present]
        client.log_batch(self.run_id, params=fresh)

    def log_data(self, data: TrainingData) -> None:
        """Log the data set as the run's input (digest, split, classes), and tag the run with the split."""
        images = data.images
        profile = {**data.profile(), **images.profile}
        schema = {
            "mlflow_tensorspec": {
                "features": json.dumps([_tensor(images.dtype, images.input_shape)]),
                "targets": json.dumps([_tensor(str(images.labels.dtype), ())]),
            }
        }
        self.store.client.set_tag(self.run_id, names.SPLIT, data.split_digest)
        entity = Dataset(
            name=images.name, digest=data.digest, source_type="local", source=json.dumps({"uri": images.source}),
            schema=json.dumps(schema), profile=json.dumps(profile)[:_MAX_DATASET_PROFILE],
        )  # fmt: skip
        tags = [InputTag("mlflow.data.context", "training")]
        self.store.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def log_progress(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log how far the study is, once a finished trial."""
        now = int(time.time() * 1000)
        self.store.client.log_batch(self.run_id, [Metric(name, value, now, step) for name, value in metrics.items()])

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        self.store.tag_run(self.run_id, tags)

    def log_table(self, table: pd.DataFrame, artifact: str) -> None:
        """Write a table as a CSV artifact."""
        self.store.client.log_text(self.run_id, table.to_csv(index=False), artifact)

    def fail_open_runs(self, reason: str, *, name: str | None = None) -> None:
        """End runs below this one that nobody works on any more: all, or those called ``name``."""
        condition = f"tags.`mlflow.parentRunId` = '{self.run_id}' AND attributes.status = 'RUNNING'"
        for run in self.store.client.search_runs([self.experiment_id], condition):
            if run.data.tags.get(names.KIND) in names.CHILD_KINDS and name in (None, run.info.run_name):
                end_training_run(self.store, run.info.run_id, names.State.FAIL, reason)

    @contextmanager
    def ended(self, before: Callable[[], None] = lambda: None) -> Iterator[None]:
        """End the run and those below it after what is done inside, whatever happens; ``before`` comes first."""
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            before()
            self.fail_open_runs("its worker died before it was known")
            self.store.client.set_terminated(self.run_id, status)


def _tensor(dtype: str, shape: tuple[int, ...]) -> dict[str, object]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}


def _living_run(store: TrackingStore, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _mark_continuation(
    store: TrackingStore, run_id: str, continued_run_id: str, *, name: str, tags: Mapping[str, str]
) -> None:
    client = store.client
    client.update_run(run_id, name=f"{name}-continued")
    marks = {**tags, names.KIND: "continuation", "mlflow.parentRunId": continued_run_id}
    for key, value in marks.items():
        client.set_tag(run_id, key, value)
