"""The tracking store: where it is, and the files beside it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.disk import check_folder
from pipeline.errors import FolderError, SettingError, first_line
from pipeline.masking import mask_passwords
from pipeline.paths import user_data_dir
from pipeline.tracking.outage import find_outage, is_outage, is_server
from pipeline.tracking.outbox import Outbox, outbox_at
from pipeline.tracking.paging import all_pages

_PAGE = 1000
_SQLITE = "sqlite:///"
_KIND = "mlflow.experimentKind"  # without it the UI opens its pages for language models


@dataclass(frozen=True)
class TrackingStore:
    """An MLflow tracking store, by its absolute URI."""

    uri: str

    @property
    def client(self) -> MlflowClient:
        """A client of this store."""
        return MlflowClient(self.uri)

    @property
    def shown_uri(self) -> str:
        """The URI for people, with passwords masked."""
        return mask_passwords(self.uri)

    @property
    def folder(self) -> Path | None:
        """The folder of a SQLite store; None for a server or another database."""
        return None if self.file is None else self.file.parent

    @property
    def studies(self) -> Path:
        """The folder of the studies: beside a SQLite store, else a folder for each store in the user's data folder.

        Never the working folder, which may be a temporary clone that ``mlflow run`` made.
        """
        if self.folder is not None:
            return self.folder / "mlruns" / "studies"
        return user_data_dir() / "knobsearch" / "studies" / hashlib.sha256(self.uri.encode()).hexdigest()[:10]

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints of trainings, named after run and fold."""
        return self.studies / "checkpoints"

    @property
    def outbox(self) -> Outbox:
        """What all writes to runs pass through; those that a server has not taken wait beside the studies."""
        return outbox_at(self.uri, self.studies / "unsent")

    @property
    def exists(self) -> bool:
        """Whether the store exists; a SQLite file does not before the first write."""
        return self.file is None or os.path.exists(self.file)

    @property
    def file(self) -> Path | None:
        """The database of a SQLite store."""
        if not self.uri.startswith(_SQLITE):
            return None
        return Path(unquote(self.uri.removeprefix(_SQLITE).partition("?")[0]))

    def check(self) -> None:
        """Check that what there is of the store can be opened; nothing is made.

        A SQLite file is looked at first: where it is no database, MLflow would try to open it for minutes.

        Raises:
            SettingError: it cannot be opened, or is a server that does not answer.
        """
        if is_server(self.uri):
            _check_answer(self.uri)
        elif self.file is None:
            self.open()
        elif self.exists:
            try:
                address = f"{self.file.absolute().as_uri()}?mode=rw"
                with closing(sqlite3.connect(address, uri=True, timeout=20)) as database:
                    database.execute("SELECT count(*) FROM sqlite_master")
            except sqlite3.Error as error:
                raise unusable_store(self.uri, error) from error

    def check_writable(self, *, n_bytes: int = 0) -> None:
        """Check that a SQLite store can be written, and ``n_bytes`` beside the studies; nothing is left of it.

        Raises:
            FolderError: they cannot.
        """
        fix = "work in another folder, or set MLFLOW_TRACKING_URI"
        if self.file is not None:
            check_folder(self.file.parent, fix=fix)
            if self.exists and not os.access(self.file, os.W_OK):
                raise FolderError(f"the tracking store '{self.file}' must be a file that can be written; {fix}")
        check_folder(self.studies, n_bytes=n_bytes, fix=fix)

    def open(self) -> None:
        """Open the store, and create a SQLite file that is missing.

        Raises:
            SettingError: MLflow refuses the store.
        """
        try:
            _ = self.client
        except Exception as error:  # MLflow's own, and those of its databases
            raise unusable_store(self.uri, error) from error

    def is_away(self, error: Exception) -> bool:
        """Tell whether an error means that the store is a server that is away for now."""
        return is_server(self.uri) and is_outage(error)

    def search_runs(self, condition: str) -> list[Run]:
        """Return the runs of all experiments that meet MLflow's filter ``condition``, our last writes included."""
        self.outbox.flush()
        client = self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(all_pages(lambda token: client.search_runs(
            experiments, condition, max_results=_PAGE, page_token=token)))  # fmt: skip

    def ui_command(self) -> str:
        """Return the command that opens the MLflow UI on this store; a password stays in the environment."""
        if self.uri.startswith("http"):
            return f"open {self.shown_uri}"
        uri = f"'{self.uri}'" if self.shown_uri == self.uri else '"$MLFLOW_TRACKING_URI"'
        return f"mlflow ui --backend-store-uri {uri}"

    def experiment_of(self, run_id: str | None, *, name: str) -> str:
        """Return the experiment of the run ``run_id``, else ``MLFLOW_EXPERIMENT_ID``, else the one called ``name``.

        An experiment that is missing is created.

        Raises:
            SettingError: the store cannot be used.
        """
        try:
            client = self.client
            known = client.get_run(run_id).info.experiment_id if run_id else os.environ.get("MLFLOW_EXPERIMENT_ID")
            found = client.get_experiment(known) if known else client.get_experiment_by_name(name)
            found = found or client.get_experiment(client.create_experiment(name))
            if _KIND not in found.tags:
                client.set_experiment_tag(found.experiment_id, _KIND, "custom_model_development")
            return str(found.experiment_id)
        except MlflowException as error:
            raise unusable_store(self.uri, error) from error


def find_store(say: Callable[[str], None] | None = None) -> TrackingStore:
    """Return the store that MLflow's own rules choose (``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder).

    ``say`` gets a line when a server goes away and when it is back.

    Raises:
        SettingError: it cannot be opened, or is a server that does not answer.
    """
    store = TrackingStore(get_tracking_uri())
    store.check()
    if say is not None:
        store.outbox.say = say
    return store


@cache
def _check_answer(uri: str) -> None:
    """Check, once in a process, that a server answers: MLflow itself would try for minutes."""
    if find_outage(uri) and (outage := find_outage(uri)):
        raise unusable_store(uri, MlflowException(outage))


def unusable_store(uri: str, error: Exception) -> SettingError:
    """Return the one-line error for a tracking store that MLflow refuses."""
    reason = mask_passwords(first_line(error))
    return SettingError(
        f"the tracking store must be one that MLflow opens, got '{mask_passwords(uri)}' ({reason}); set "
        "MLFLOW_TRACKING_URI"
    )
