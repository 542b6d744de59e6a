"""The models of trainings as the tracking store holds them: their sizes, and their removal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.errors import first_line
from pipeline.tracking.paging import all_pages
from pipeline.tracking.store import TrackingStore

MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_PAGE = 100


@dataclass(frozen=True)
class StoredModel:
    """A model that was logged in the run ``run_id``; its files are at ``location``, a folder or URL."""

    model_id: str
    run_id: str
    location: str


def find_models(store: TrackingStore, run_id: str | None = None) -> list[StoredModel]:
    """Return the models of the store, or of one run, that were not removed."""
    condition = None if run_id is None else f"source_run_id = '{run_id}'"
    client = store.client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found: Iterator[LoggedModel] = all_pages(lambda token: client.search_logged_models(
        experiments, condition, max_results=_PAGE, page_token=token))  # fmt: skip
    return [StoredModel(one.model_id, one.source_run_id or "", one.artifact_location) for one in found]


def count_bytes(store: TrackingStore, model: StoredModel) -> int:
    """Return the size of a model's files."""
    return _count_bytes(_files_of(store, model), None)


def remove_model(store: TrackingStore, model: StoredModel) -> str:
    """Delete a model and free its files; return a line where these stay, else an empty one.

    MLflow itself keeps the files of a deleted model until ``mlflow gc``, which stays the way to free those that only
    the server may delete.

    Raises:
        MlflowException: it cannot be deleted.
    """
    store.client.delete_logged_model(model.model_id)
    try:
        _files_of(store, model).delete_artifacts()
    except Exception as error:  # those of each kind of storage: without the right to delete, or the files
        return f"files of removed models stay until mlflow gc is run where they lie ({first_line(error)})"
    return ""


def registered_of(store: TrackingStore, models: Iterable[StoredModel]) -> set[str]:
    """Return the ids of those models that a version of a registered model is made of."""
    return registered_ids(store) & {model.model_id for model in models}


def registered_ids(store: TrackingStore) -> set[str]:
    """Return the ids of the models that registered versions are made of; a version may name its files alone."""
    versions: Iterator[ModelVersion] = all_pages(
        lambda token: store.client.search_model_versions(max_results=_PAGE, page_token=token)
    )
    named = (f"{version.model_id or ''} {version.source or ''}" for version in versions)
    return {model_id for text in named for model_id in MODEL_ID.findall(text)}


def _files_of(store: TrackingStore, model: StoredModel) -> ArtifactRepository:
    return get_artifact_repository(model.location, tracking_uri=store.uri)


def _count_bytes(files: ArtifactRepository, path: str | None) -> int:
    return sum(
        _count_bytes(files, one.path) if one.is_dir else int(one.file_size or 0) for one in files.list_artifacts(path)
    )
