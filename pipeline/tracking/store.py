"""The tracking store: where it is, and the files beside it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mlflow import MlflowClient, get_tracking_uri
from mlflow.exceptions import MlflowException

from pipeline.errors import SettingError

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class TrackingStore:
    """An MLflow tracking store, by its absolute URI."""

    uri: str

    @property
    def client(self) -> MlflowClient:
        """A client of this store."""
        return MlflowClient(self.uri)

    @property
    def folder(self) -> Path | None:
        """The folder of a SQLite store; None for a server or another database."""
        return Path(unquote(self.uri.removeprefix(_SQLITE))).parent if self.uri.startswith(_SQLITE) else None

    @property
    def studies(self) -> Path:
        """The folder of the studies: beside a SQLite store, else in the user's data folder, one a store.

        Never the working folder, which may be a temporary clone that ``mlflow run`` made.
        """
        if self.folder is not None:
            return self.folder / "mlruns" / "studies"
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        return home / "knobsearch" / "studies" / hashlib.sha256(self.uri.encode()).hexdigest()[:10]

    def ui_command(self) -> str:
        """Return what opens the MLflow UI on this very store."""
        return f"open {self.uri}" if self.uri.startswith("http") else f"mlflow ui --backend-store-uri '{self.uri}'"

    def experiment_of(self, run_id: str | None, *, name: str) -> str:
        """Return the experiment of the run ``run_id``; without one, that called ``name``, made where it is missing.

        Raises:
            SettingError: the store cannot be used.
        """
        try:
            if run_id is not None:
                return str(self.client.get_run(run_id).info.experiment_id)
            found = self.client.get_experiment_by_name(name)
            return str(found.experiment_id) if found else str(self.client.create_experiment(name))
        except MlflowException as error:
            raise unusable_store(self.uri, error) from error


def open_store() -> TrackingStore:
    """Return the store that MLflow's own rules choose (``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder).

    Raises:
        SettingError: MLflow refuses the store.
    """
    try:
        store = TrackingStore(get_tracking_uri())
        _ = store.client
    except MlflowException as error:
        raise unusable_store(get_tracking_uri(), error) from error
    return store


def unusable_store(uri: str, error: Exception) -> SettingError:
    """Return the one-line error for a tracking store that MLflow refuses."""
    reason = str(error).strip().splitlines()[0]
    return SettingError(
        f"the tracking store must be one that MLflow opens, got '{uri}' ({reason}); set MLFLOW_TRACKING_URI"
    )
