"""A training as its run recorded it: all that it takes to do it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.errors import SettingError
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore


@dataclass(frozen=True)
class RecordedTraining:
    """A run in which a network was trained.

    ``parameters`` are its knobs as text, ``settings`` those of the command, ``hand_made`` the file of its hand-made
    model, empty where it has none.
    """

    run_id: str
    name: str
    seed: int
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    hand_made: str


def read_training(store: TrackingStore, run_id: str) -> RecordedTraining:
    """Read the training that was recorded in the run ``run_id``.

    Raises:
        SettingError: there is no such run, or no network was trained in it.
    """
    run = _find(store, run_id)
    tags = run.data.tags if run else {}
    if run is None or tags.get(names.KIND) not in names.TRAININGS or names.SEED not in tags or not run.data.params:
        raise SettingError(
            f"config must be the id of a run in which a network was trained, got '{run_id}', which "
            f"{'is none' if run else f'is not in the tracking store {store.uri}'}; copy the id of a trial from the "
            "MLflow UI, or set MLFLOW_TRACKING_URI"
        )
    client = store.client
    return RecordedTraining(
        run_id=run_id,
        name=str(run.info.run_name),
        seed=int(tags[names.SEED]),
        parameters=run.data.params,
        settings=client.get_run(tags["mlflow.parentRunId"]).data.params,
        hand_made=_hand_made(client, run),
    )


def _find(store: TrackingStore, run_id: str) -> Run | None:
    if not store.exists:
        return None
    try:
        return store.client.get_run(run_id)
    except MlflowException:
        return None


def _hand_made(client: MlflowClient, run: Run) -> str:
    listed = {file.path for file in client.list_artifacts(run.info.run_id)}
    if names.HAND_MADE_FILE not in listed:
        return ""
    return str(load_text(f"{run.info.artifact_uri}/{names.HAND_MADE_FILE}"))
