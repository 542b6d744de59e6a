"""The parent run of a command's trainings: settings, data, progress, leaderboard."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run
from mlflow.exceptions import MlflowException

from pipeline.data.source import TrainingData
from pipeline.errors import SettingError
from pipeline.interrupts import interrupts_noted
from pipeline.masking import mask_passwords
from pipeline.tracking import names
from pipeline.tracking.killed_runs import end_killed_runs
from pipeline.tracking.owner import this_process
from pipeline.tracking.run_states import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.write import Write
from pipeline.training.ending import Cause, Ending

_MAX_DATASET_PROFILE = 16_000_000


@dataclass(frozen=True)
class ParentRun:
    """The run of a study, or of another command that trains."""

    store: TrackingStore
    run_id: str
    experiment_id: str

    def start_run(
        self, name: str, *, tags: Mapping[str, str], parameters: Mapping[str, object], files: Mapping[str, str]
    ) -> str:
        """Make the run of a training below this one; ``files`` are texts to keep in it, by name. Return its id."""
        tags = {"mlflow.parentRunId": self.run_id, **tags}
        run_id = str(self.store.client.create_run(self.experiment_id, run_name=name, tags=tags).info.run_id)
        texts = {name: str(value) for name, value in parameters.items()}
        self.store.outbox.write(Write(run_id, parameters=texts, texts=files))
        return run_id

    def resume_run(self, run_id: str) -> None:
        """Go on with the run of a training that waits, below this one."""
        tags = {"mlflow.parentRunId": self.run_id}
        self.store.outbox.write(Write(run_id, removed_tags=(names.REASON,), tags=tags, status="RUNNING"))

    def log_figures(self, figures: Mapping[str, float], *, run_id: str | None = None, step: int = 0) -> None:
        """Log single figures in this run, or in another one."""
        now = int(time.time() * 1000)
        points = tuple((name, value, now, step, None) for name, value in figures.items())
        self.store.outbox.write(Write(run_id or self.run_id, points=points))

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
            name=images.name, digest=images.digest, source_type="local", source=json.dumps({"uri": images.source}),
            schema=json.dumps(schema), profile=json.dumps(profile)[:_MAX_DATASET_PROFILE],
        )  # fmt: skip
        tags = [InputTag("mlflow.data.context", "training")]
        self.store.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        self.store.outbox.write(Write(self.run_id, tags=tags))

    def log_table(self, table: pd.DataFrame, artifact: str) -> None:
        """Write a table as a CSV artifact."""
        self.store.client.log_text(self.run_id, table.to_csv(index=False), artifact)


@contextmanager
def command_run(
    store: TrackingStore, *, name: str, tags: Mapping[str, str], settings: Mapping[str, str], data: TrainingData,
    experiment: str, earlier: str | None = None,
) -> Iterator[ParentRun]:  # fmt: skip
    """Open the run of a command that trains, and end it and those below it, whatever happens inside.

    It goes on with the ``earlier`` run, else adopts that of ``mlflow run``, else makes one in the ``experiment`` of
    that name. What commands before have left RUNNING when they were killed is put right first.

    Raises:
        SettingError: the store cannot be used.
    """
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    store.outbox.flush()
    experiment_id = store.experiment_of(adopted, name=experiment)
    end_killed_runs(store)
    status = "FAILED"
    with interrupts_noted() as interrupts:
        run = _open(store, name=name, tags=tags, experiment_id=experiment_id, adopted=adopted, earlier=earlier)
    try:
        if interrupts:
            raise KeyboardInterrupt
        run.log_settings(settings)
        run.log_data(data)
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with interrupts_noted() as late:
            _close(run, status)
        if late and status == "FINISHED":
            raise KeyboardInterrupt


def _close(run: ParentRun, status: str) -> None:
    """End a run and those that are RUNNING below it; where a server is away, the next command does the latter."""
    outbox = run.store.outbox
    if outbox.answers():
        for child in _running_children(run.store, run.run_id):
            end_run(run.store, child.info.run_id, Ending(Cause.FAILED, "its command ended before it"))
    outbox.write(Write(run.run_id, status=status, end_time=int(time.time() * 1000)))
    if outbox.flush():
        outbox.say(outbox.kept())


def check_adopted_run(store: TrackingStore) -> None:
    """Check that the run of ``mlflow run`` exists, and has no password among the parameters, all of which it keeps.

    Raises:
        SettingError: it does not, or it has.
    """
    adopted = os.environ.get("MLFLOW_RUN_ID")
    run = _living_run(store, adopted) if store.exists else None
    if adopted and run is None:
        raise SettingError(
            f"MLFLOW_RUN_ID must be a run of the tracking store {store.shown_uri}, got '{adopted}'; unset it, or set "
            "MLFLOW_TRACKING_URI"
        )
    for name, value in (run.data.params if run else {}).items():
        if mask_passwords(value) != value:
            raise SettingError(
                f"{name} must have no password with mlflow run, which has stored it in run {adopted}; delete that run, "
                "change the password, and have the database's driver read it from PGPASSWORD, ~/.pgpass or the like"
            )


def _running_children(store: TrackingStore, run_id: str) -> list[Run]:
    below = store.search_runs(f"tags.`mlflow.parentRunId` = '{run_id}' AND attributes.status = 'RUNNING'")
    return [run for run in below if run.data.tags.get(names.KIND) in names.CHILD_KINDS]


def _open(
    store: TrackingStore, *, name: str, tags: Mapping[str, str], experiment_id: str, adopted: str | None,
    earlier: str | None,
) -> ParentRun:  # fmt: skip
    """Return the earlier, the adopted or a new run; beside an earlier one, the adopted one is its continuation."""
    client = store.client
    found = _living_run(store, earlier)
    if found is not None:
        if adopted is not None and adopted != found.info.run_id:
            _mark_continuation(store, adopted, found.info.run_id, name=name, tags=tags)
        client.update_run(found.info.run_id, status="RUNNING")
        run = ParentRun(store, found.info.run_id, found.info.experiment_id)
    elif adopted is not None:
        client.update_run(adopted, name=name)
        run = ParentRun(store, adopted, experiment_id)
    else:
        run = ParentRun(store, client.create_run(experiment_id, run_name=name).info.run_id, experiment_id)
    run.log_tags({**tags, names.OWNER: this_process()})
    return run


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
