"""A folder with a tracking store, in which the doctor is asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clinic import Clinic

from pipeline.tracking.store import TrackingStore


@pytest.fixture(scope="package")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of MLflow that has nothing in it: to make one takes a second."""
    path = tmp_path_factory.mktemp("fresh") / "mlflow.db"
    TrackingStore(f"sqlite:///{path}").open()
    return path


@pytest.fixture
def clinic(tmp_path: Path, fresh_database: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Stand in a folder with a store, with no run that is given from outside and an empty cache."""
    folder = tmp_path / "here"
    folder.mkdir()
    shutil.copy(fresh_database, folder / "mlflow.db")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIPELINE_DATA_DIR", str(tmp_path))
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    return Clinic(folder)
