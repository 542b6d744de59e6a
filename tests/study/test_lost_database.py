"""A study's database that is gone for a while: the study waits for it and goes on, with a line on the screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from postgres import PASSWORD, Postgres, running_postgres
from sqlalchemy.exc import DataError, OperationalError
from workplace import Workplace

from pipeline.errors import SettingError
from pipeline.study.patient_storage import PatientStorage, is_connection_lost
from pipeline.study.storage import open_storage
from pipeline.workers.events import EpochEnd, Event, Note

optuna.logging.set_verbosity(optuna.logging.WARNING)


def as_optuna_raises(cause: Exception) -> StorageInternalError:
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = cause
    return error


GONE = as_optuna_raises(OperationalError("SELECT 1", {}, Exception("connection refused\nIs the server running?")))
TOO_LONG = as_optuna_raises(DataError("INSERT", {}, Exception("value too long")))


@dataclass
class Database:
    """Raises what it is given, one error a call, and then answers; time passes only while it is waited for."""

    errors: list[Exception]
    lines: list[str] = field(default_factory=list)
    name: str = "tiny"
    now: float = 0.0

    def get(self, *, value: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return value

    def patient(self) -> Any:
        return PatientStorage(self, self.lines.append, seconds=60, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def test_database_that_comes_back_is_waited_for_and_both_is_told_once() -> None:
    database = Database([GONE] * 6)
    assert database.patient().get(value=7) == 7
    assert database.now == 0 + 0.5 + 1 + 2 + 4 + 8
    assert database.lines == [
        "the study's database does not answer, and the study waits for it: (builtins.Exception) connection refused",
        "the study's database is back after 16 s, and the study goes on",
    ]


def test_connection_that_was_only_old_is_replaced_without_a_word() -> None:
    database = Database([GONE])
    assert database.patient().get(value=7) == 7
    assert (database.now, database.lines) == (0, [])


def test_patience_ends_once_for_all() -> None:
    database = Database([GONE] * 100)
    storage = database.patient()
    with pytest.raises(StorageInternalError):
        storage.get(value=7)
    assert 60 <= database.now <= 70
    n_left = len(database.errors)
    with pytest.raises(StorageInternalError):
        storage.get(value=7)
    assert len(database.errors) == n_left - 1
    assert len(database.lines) == 1


def test_error_that_waiting_does_not_mend_is_raised_at_once() -> None:
    database = Database([TOO_LONG])
    with pytest.raises(StorageInternalError):
        database.patient().get(value=7)
    assert database.now == 0
    assert is_connection_lost(GONE)
    assert not is_connection_lost(TOO_LONG)


def test_end_of_a_trial_whose_answer_alone_was_lost_counts() -> None:
    assert Database([GONE, UpdateFinishedTrialError()]).patient().get(value=7) is True
    with pytest.raises(UpdateFinishedTrialError):
        Database([UpdateFinishedTrialError()]).patient().get(value=7)


def test_what_is_no_method_is_passed_on() -> None:
    assert Database([]).patient().name == "tiny"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as started:
        yield started


def gone_for(server: Postgres, seconds: float) -> threading.Thread:
    """Stop the server now, and start it again after so many seconds."""
    server.stop()

    def start() -> None:
        time.sleep(seconds)
        server.start()

    thread = threading.Thread(target=start)
    thread.start()
    return thread


@pytest.mark.slow
def test_study_on_postgresql_waits_and_loses_nothing(server: Postgres) -> None:
    lines: list[str] = []
    study = optuna.create_study(storage=open_storage(server.url, lines.append), study_name="plain")
    study.tell(study.ask(), 0.25)
    trial = study.ask()
    thread = gone_for(server, 3.0)
    trial.set_user_attr("name", "value")
    study.tell(trial, 0.5)
    thread.join()
    assert [line.split(",")[0].partition(" after ")[0] for line in lines] == [
        "the study's database does not answer",
        "the study's database is back",
    ]
    assert PASSWORD not in "".join(lines)
    found = optuna.load_study(storage=open_storage(server.url), study_name="plain").get_trials()
    assert [(one.value, one.user_attrs) for one in found] == [(0.25, {}), (0.5, {"name": "value"})]


@pytest.mark.slow
def test_search_on_postgresql_goes_on_after_its_server_was_gone(server: Postgres, workplace: Workplace) -> None:
    threads: list[threading.Thread] = []
    space = "knobs: {blocks: 1, filters: 4, batch_size: 32, epochs: {choices: [5, 6]}}\nfirst_trials: [{epochs: 5}]\n"
    (workplace.folder / "tiny.yaml").write_text(space)

    def stop_the_server(event: Event) -> None:
        if isinstance(event, EpochEnd) and not threads:
            threads.append(gone_for(server, 5.0))

    workplace.search(trials=2, storage=server.url, keep_models="none", pruner="none", show=stop_the_server)
    threads[0].join()
    notes = [event.text for event in workplace.events if isinstance(event, Note)]
    assert [note.startswith("the study's database") for note in notes] == [True, True]
    study = optuna.load_study(storage=open_storage(server.url), study_name="tiny")
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE", "COMPLETE"]
    first = workplace.runs("trial")[0].info.run_id
    assert [point.step for point in workplace.client.get_metric_history(first, "val_accuracy")] == [1, 2, 3, 4, 5]
    assert workplace.n_running() == 0
    assert [path for path, content in workplace.files().items() if PASSWORD.encode() in content] == []
    (run,) = workplace.runs("study")
    assert run.data.params["storage"] == server.url.replace(PASSWORD, "***")


@pytest.mark.slow
def test_database_that_does_not_answer_at_the_start_is_refused_and_nothing_is_written(
    server: Postgres, workplace: Workplace
) -> None:
    settings = workplace.settings(storage=server.url)
    before = workplace.files()
    server.stop()
    try:
        with pytest.raises(SettingError, match=r"got 'postgresql\+psycopg://me:\*\*\*@127.*refused") as caught:
            workplace.search(storage=settings.storage)
    finally:
        server.start()
    assert PASSWORD not in str(caught.value)
    assert workplace.files() == before
    assert not (workplace.folder / "mlruns").exists()
