"""The run of a study: its settings, its data, how far it is, its leaderboard."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.exceptions import MlflowException

from pipeline.data.source import Split
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.trial_run import end_trial_run

_MAX_DATASET_PROFILE = 16_000_000


@dataclass(frozen=True)
class StudyRun:
    """A study's run in the tracking store."""

    store: TrackingStore
    run_id: str
    experiment_id: str

    @classmethod
    def open(
        cls, store: TrackingStore, *, study: str, experiment_id: str, earlier: str | None, adopted: str | None
    ) -> StudyRun:
        """Go on with the run that the study had ``earlier``, else adopt that of ``mlflow run``, else make one.

        Where there is an earlier run, the adopted one is tagged as its continuation, so that all trials of a study
        stand under one run.
        """
        client = store.client
        found = _living_run(store, earlier)
        if found is not None:
            if adopted is not None and adopted != found.info.run_id:
                _mark_continuation(store, adopted, found.info.run_id, study)
            client.update_run(found.info.run_id, status="RUNNING")
            return cls(store, found.info.run_id, found.info.experiment_id)
        if adopted is None:
            adopted = client.create_run(experiment_id, run_name=f"study-{study}").info.run_id
        else:
            client.update_run(adopted, name=f"study-{study}")
        client.set_tag(adopted, names.KIND, "study")
        client.set_tag(adopted, names.STUDY, study)
        return cls(store, adopted, experiment_id)

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """Log the settings as parameters; those that the run already has stay as they were first given."""
        client = self.store.client
        present = client.get_run(self.run_id).data.params
        fresh = [Param(name, value) for name, value in settings.items() if name not in present]
        client.log_batch(self.run_id, params=fresh)

    def log_data(self, data: Split) -> None:
        """Log the data set as the run's input: digest, sizes of the split, class names."""
        images = data.train
        profile = {
            "n_train": len(images.labels),
            "n_validation": len(data.validation.labels),
            "input_shape": list(images.input_shape),
            "class_names": list(data.class_names),
        }
        schema = {
            "mlflow_tensorspec": {
                "features": json.dumps([_tensor(images.images)]),
                "targets": json.dumps([_tensor(images.labels)]),
            }
        }
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

    def log_table(self, table: pd.DataFrame, artifact: str) -> None:
        """Write a table as a CSV artifact."""
        self.store.client.log_text(self.run_id, table.to_csv(index=False), artifact)

    def fail_open_trials(self, reason: str) -> None:
        """End trial runs that no trial knows of: their worker died between making the run and noting it."""
        condition = f"tags.`mlflow.parentRunId` = '{self.run_id}' AND attributes.status = 'RUNNING'"
        for run in self.store.client.search_runs([self.experiment_id], condition):
            if run.data.tags.get(names.KIND) == "trial":
                end_trial_run(self.store, run.info.run_id, names.State.FAIL, reason)

    def end(self, status: str) -> None:
        """End the run with an MLflow status: FINISHED, FAILED or KILLED."""
        self.store.client.set_terminated(self.run_id, status)


def _tensor(array: object) -> dict[str, object]:
    shape, dtype = getattr(array, "shape", ()), getattr(array, "dtype", "")
    return {"type": "tensor", "tensor-spec": {"dtype": str(dtype), "shape": [-1, *shape[1:]]}}


def _living_run(store: TrackingStore, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _mark_continuation(store: TrackingStore, run_id: str, study_run_id: str, study: str) -> None:
    client = store.client
    client.update_run(run_id, name=f"study-{study}-continued")
    for key, value in (
        (names.KIND, "continuation"),
        (names.STUDY, study),
        ("mlflow.parentRunId", study_run_id),
    ):
        client.set_tag(run_id, key, value)
