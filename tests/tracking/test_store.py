"""The tracking store before it is used: what is refused, and that looking leaves nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from workplace import Workplace, enter

from pipeline.errors import FolderError, SettingError
from pipeline.tracking.parent_run import check_adopted_run
from pipeline.tracking.store import TrackingStore, find_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return enter(monkeypatch, tmp_path)


def database_with_a_damaged_table(path: Path) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE runs (run_uuid TEXT)")
    database.close()
    content = path.read_bytes().replace(b"CREATE TABLE", b"CREATE CHAIR")
    path.write_bytes(content)
    return content


def test_file_that_is_no_database_is_refused_and_stays_as_it_is(place: Workplace) -> None:
    file = place.folder / "mlflow.db"
    file.write_text("shopping list")

    with pytest.raises(SettingError, match=r"got 'sqlite:///.*mlflow.db' \(file is not a database\); set MLFLOW_TRAC"):
        find_store()
    assert file.read_text() == "shopping list"
    assert list(place.folder.iterdir()) == [file]


def test_damaged_database_is_refused_and_stays_as_it_is(place: Workplace) -> None:
    file = place.folder / "mlflow.db"
    content = database_with_a_damaged_table(file)

    with pytest.raises(SettingError, match=r"\(malformed database schema"):
        find_store()
    assert file.read_bytes() == content


def test_folder_in_the_place_of_a_database_is_refused(place: Workplace) -> None:
    (place.folder / "mlflow.db").mkdir()

    with pytest.raises(SettingError, match=r"\(unable to open database file\)"):
        find_store()


def test_store_of_a_kind_that_mlflow_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosql://here")

    with pytest.raises(SettingError, match="must be one that MLflow opens, got 'nosql://here'"):
        find_store()


def test_run_that_is_to_be_adopted_and_does_not_exist_is_refused(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "nowhere")

    with pytest.raises(
        SettingError, match=r"MLFLOW_RUN_ID must be a run of the tracking store .*, got 'nowhere'; unset"
    ):
        check_adopted_run(find_store())
    assert list(place.folder.iterdir()) == []


def test_store_that_does_not_exist_is_found_and_checked_without_a_trace(place: Workplace) -> None:
    store = find_store()
    store.check_writable(n_bytes=1000)

    assert not store.exists
    assert list(place.folder.iterdir()) == []


def test_store_in_a_folder_that_cannot_be_written_is_refused() -> None:
    store = TrackingStore("sqlite:////proc/mlflow.db")

    with pytest.raises(FolderError, match=r"folder '/proc' must be one that can be written \(.*MLFLOW_TRACKING_URI"):
        store.check_writable()


def test_lines_on_a_server_go_to_who_asked_for_the_store(place: Workplace) -> None:
    lines: list[str] = []

    find_store(say=lines.append).outbox.say("away")

    assert lines == ["away"]
