"""A store that was moved or copied finds its artifacts again: its database holds absolute paths."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from clinic import Clinic
from mlflow.artifacts import load_text
from mlflow.entities import LoggedModelOutput

from pipeline.tracking import names
from pipeline.tracking.registry import Registry

STATE = {names.STATE: "COMPLETE"}


@pytest.fixture
def moved(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Return a store with a text, a registered model and an experiment without files, moved elsewhere."""
    run_id = clinic.trial("COMPLETE", status="FINISHED", tags=STATE)
    store = clinic.store
    store.client.set_terminated(clinic.parent.run_id, "FINISHED")
    store.client.log_text(run_id, "what was logged", "some.txt")
    model = store.client.create_logged_model(clinic.experiment, name="model", source_run_id=run_id)
    store.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    files = Path(model.artifact_location)
    files.mkdir(parents=True)
    (files / "MLmodel").write_text("flavors: {}\n")
    Registry(store, "some").register(str(model.model_id), run_id, {}, "")
    store.client.create_experiment("empty", str(clinic.folder / "mlruns" / "2"))
    store.client.create_experiment("by URI", (clinic.folder / "mlruns" / "a b").as_uri())
    store.client.create_experiment("remote", "s3://bucket/mlruns")
    return move(clinic, tmp_path / "elsewhere" / "there", monkeypatch)


def move(clinic: Clinic, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    folder.parent.mkdir(exist_ok=True)
    clinic.folder.rename(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    monkeypatch.chdir(folder)
    return Clinic(folder)


def places(clinic: Clinic) -> set[str]:
    with sqlite3.connect(clinic.folder / "mlflow.db") as database:
        columns = (
            ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        )  # fmt: skip
        found = {row[0] for table, column in columns for row in database.execute(f"SELECT {column} FROM {table}")}
    database.close()
    return found


def test_moved_store_reads_its_artifacts_and_writes_new_ones_beside_itself(moved: Clinic, tmp_path: Path) -> None:
    client, (run_id,) = moved.store.client, (trial.user_attrs["run_id"] for trial in moved.trials())
    before = (moved.folder / "mlflow.db").read_bytes()

    deeds = moved.mend_all()

    here = tmp_path / "here"
    n_places = len(deeds[0].split()[1])
    assert deeds == [
        f"redirected {deeds[0].split()[1]} artifact locations from {here} to {moved.folder}, after a copy of mlflow.db "
        "beside it",
        "1 thing mended",
    ]
    assert n_places
    assert load_text(f"{client.get_run(run_id).info.artifact_uri}/some.txt") == "what was logged"
    for experiment in client.search_experiments(filter_string="name != 'Default'"):
        run = client.create_run(experiment.experiment_id)
        assert "/here/" not in run.info.artifact_uri
        client.delete_run(run.info.run_id)
    (version,) = client.search_model_versions("name = 'some'")
    found = client.get_model_version_download_uri("some", version.version)
    assert Path(found).is_relative_to(moved.folder)
    assert {place for place in places(moved) if str(here) in place} == set()
    assert "s3://bucket/mlruns" in places(moved)
    assert (moved.folder / "mlruns" / "a b").as_uri() in places(moved)
    (backup,) = moved.folder.glob("mlflow.db.backup-*")
    with sqlite3.connect(backup) as copy, sqlite3.connect(":memory:") as original:
        original.deserialize(before)
        assert list(copy.iterdump()) == list(original.iterdump())
    copy.close()
    original.close()
    assert not here.exists()


def test_store_that_was_moved_into_a_folder_above_is_mended(clinic: Clinic, tmp_path: Path) -> None:
    run_id = clinic.trial("COMPLETE", status="FINISHED", tags=STATE)
    clinic.store.client.set_terminated(clinic.parent.run_id, "FINISHED")
    clinic.store.client.log_text(run_id, "what was logged", "some.txt")
    for path in clinic.folder.iterdir():
        shutil.move(path, tmp_path / path.name)
    above = Clinic(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", above.store.uri)
        above.mend()
        assert above.mend() == ["nothing to mend"]
    assert load_text(f"{above.run(run_id).info.artifact_uri}/some.txt") == "what was logged"


def test_copy_reads_its_own_artifacts_while_its_original_is_still_there(moved: Clinic, tmp_path: Path) -> None:
    here = shutil.copytree(moved.folder, tmp_path / "here")

    assert moved.mend_all()[-1] == "1 thing mended"

    assert {place for place in places(moved) if str(here) in place} == set()
    assert (
        load_text(f"{moved.run(moved.trials()[0].user_attrs['run_id']).info.artifact_uri}/some.txt")
        == "what was logged"
    )


def test_store_that_lacks_artifacts_of_the_folder_that_it_reads_is_no_copy(moved: Clinic, tmp_path: Path) -> None:
    shutil.copytree(moved.folder, tmp_path / "here")
    shutil.rmtree(moved.folder / "mlruns" / "1" / "models")
    before = places(moved)

    assert moved.mend() == ["nothing to mend"]

    assert places(moved) == before
    assert not list(moved.folder.glob("*.backup-*"))


def test_places_that_exist_nowhere_stay_as_they_are(moved: Clinic) -> None:
    shutil.rmtree(moved.folder / "mlruns" / "1")
    before = places(moved)
    assert moved.mend() == ["nothing to mend"]
    assert places(moved) == before


def test_store_that_a_command_is_at_work_in_is_not_redirected(moved: Clinic) -> None:
    moved.__dict__["experiment"] = "1"
    moved.command("baselines", "baselines-some", owner="another-host 12 1.00")
    before = places(moved)
    assert moved.mend()[0].startswith("note: artifact locations are not checked: a command may be at work")
    assert places(moved) == before
