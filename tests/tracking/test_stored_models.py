"""Models in the tracking store: found, measured and removed with their files, beside us and by a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow_server import Server, running_server
from workplace import enter

from pipeline.tracking.store import TrackingStore
from pipeline.tracking.stored_models import count_bytes, find_models, registered_of, remove_model


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingStore:
    return TrackingStore(enter(monkeypatch, tmp_path).uri)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as server:
        yield server


def log_model(client: MlflowClient, folder: Path) -> str:
    """Log a model of 5 and 7 bytes, and return its run."""
    (folder / "made" / "data").mkdir(parents=True, exist_ok=True)
    (folder / "made" / "MLmodel").write_bytes(bytes(5))
    (folder / "made" / "data" / "model.keras").write_bytes(bytes(7))
    run_id = str(client.create_run("0").info.run_id)
    model = client.create_logged_model("0", name="model", source_run_id=run_id)
    client.log_model_artifacts(model.model_id, str(folder / "made"))
    return run_id


def stored_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and "models" in path.parts)


def test_removed_model_is_found_no_more_and_its_files_are_gone(store: TrackingStore, tmp_path: Path) -> None:
    runs = [log_model(store.client, tmp_path) for _ in range(2)]
    (first,) = find_models(store, runs[0])
    assert {model.run_id for model in find_models(store)} == set(runs)
    assert count_bytes(store, first) == 12

    assert remove_model(store, first) == ""

    assert [model.run_id for model in find_models(store)] == [runs[1]]
    assert stored_files(tmp_path / "mlruns") == ["MLmodel", "model.keras"]


def test_files_that_cannot_be_deleted_are_told_of(store: TrackingStore, tmp_path: Path) -> None:
    (model,) = find_models(store, log_model(store.client, tmp_path))

    line = remove_model(store, replace(model, location="nosql://elsewhere/model"))

    assert line.startswith("files of removed models stay until mlflow gc is run where they lie (")
    assert find_models(store) == []


def test_registered_models_are_known_by_whatever_way_they_were_registered(store: TrackingStore, tmp_path: Path) -> None:
    models = [find_models(store, log_model(store.client, tmp_path))[0] for _ in range(3)]
    store.client.create_registered_model("mine")
    store.client.create_model_version("mine", f"models:/{models[0].model_id}", model_id=models[0].model_id)
    store.client.create_model_version("mine", models[1].location)

    assert registered_of(store, models) == {models[0].model_id, models[1].model_id}


@pytest.mark.slow
def test_server_removes_the_files_that_it_keeps_itself(server: Server, tmp_path: Path) -> None:
    store = TrackingStore(server.uri)
    (model,) = find_models(store, log_model(store.client, tmp_path))
    assert count_bytes(store, model) == 12
    assert stored_files(tmp_path / "artifacts") == ["MLmodel", "model.keras"]

    assert remove_model(store, model) == ""

    assert find_models(store) == []
    assert stored_files(tmp_path / "artifacts") == []
