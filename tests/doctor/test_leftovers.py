"""What killed processes leave on the disk is removed, and nothing that a run, a study or the registry may need."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from clinic import Clinic, dead_process
from mlflow.entities import LoggedModelOutput
from stub_server import stub_server

from pipeline.disk import Reserve
from pipeline.doctor.leftovers import unsent_acts
from pipeline.paths import cache_dir
from pipeline.tracking import names
from pipeline.tracking.owner import this_process
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.registry import Registry
from pipeline.tracking.run_states import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.write import Write
from pipeline.training.ending import Cause, Ending

DESCRIPTION = "artifact_path: here\nmodel_id: {}\nrun_id: {}\n"


@pytest.fixture
def command(clinic: Clinic) -> ParentRun:
    """Return the run of a command that has ended."""
    parent = clinic.command("baselines", "baselines-some")
    clinic.store.client.set_terminated(parent.run_id, "FINISHED")
    return parent


def training(clinic: Clinic, command: ParentRun, cause: Cause | None = Cause.COMPLETE, kind: str = "baseline") -> str:
    run_id = clinic.training(command, kind, "cnn")
    if cause is not None:
        end_run(clinic.store, run_id, Ending(cause))
    return run_id


def log_model(clinic: Clinic, run_id: str, *, is_known: bool = True, name: str = "model") -> str:
    """Log a model of 3 MB in a run, to its end or not; return its id."""
    client = clinic.store.client
    model = client.create_logged_model(clinic.experiment, name=name, source_run_id=run_id)
    write_model(clinic, str(model.model_id), run_id)
    if is_known:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def write_model(clinic: Clinic, model_id: str, run_id: str | None) -> Path:
    folder = clinic.folder / "mlruns" / "1" / "models" / model_id
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "network.keras").write_bytes(bytes(3_000_000))
    if run_id is not None:
        (folder / "artifacts" / "MLmodel").write_text(DESCRIPTION.format(model_id, run_id))
    return folder


def models(clinic: Clinic) -> set[str]:
    """Return the models that the store knows and that have their files."""
    known = {str(model.model_id) for model in clinic.store.client.search_logged_models([clinic.experiment])}
    assert known == {path.name for path in clinic.folder.glob("mlruns/*/models/*")}
    return known


def old(path: Path) -> Path:
    """Return a file that was written an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.write_bytes(bytes(1000))
    os.utime(path, (time.time() - 3600,) * 2, follow_symlinks=False)
    return path


def test_checkpoints_of_trainings_that_have_ended_or_do_not_exist_are_removed(
    clinic: Clinic, command: ParentRun
) -> None:
    ended, waiting = training(clinic, command), training(clinic, command, Cause.INTERRUPTED)
    for run_id in (ended, waiting, 32 * "a"):
        clinic.checkpoint(run_id)
    clinic.checkpoint(ended, fold=2)

    deeds = clinic.mend_all()

    assert sorted(deeds) == [
        "2 things mended, 6.0 MB freed",
        f"removed the checkpoint of run {32 * 'a'}, which does not exist (2.0 MB)",
        "removed the checkpoints of cnn, which has ended (4.0 MB)",
    ]
    assert [path.name for path in clinic.store.checkpoints.iterdir()] == [f"{waiting}-1.npz"]


def test_checkpoint_of_a_training_at_work_stays(clinic: Clinic) -> None:
    command = clinic.command("baselines", "baselines-some", owner=f"another-{dead_process()}")
    checkpoint = clinic.checkpoint(training(clinic, command, cause=None))
    assert clinic.mend()[-1] == "nothing to mend"
    assert checkpoint.exists()


def test_models_that_no_run_refers_to_are_removed(clinic: Clinic, command: ParentRun) -> None:
    kept = training(clinic, command)
    wanted = {log_model(clinic, kept)}
    lost = {
        log_model(clinic, kept, is_known=False),  # it was resumed, and logged another one
        log_model(clinic, training(clinic, command, Cause.FAILED), is_known=False),
        log_model(clinic, training(clinic, command, Cause.INTERRUPTED), is_known=False),
        log_model(clinic, 32 * "b", is_known=False),  # a run that mlflow gc has removed
    }
    assert models(clinic) == wanted | lost

    deeds = clinic.mend_all()

    assert sorted(deeds[:-1]) == sorted(f"removed model {one}, which no run refers to (3.0 MB)" for one in lost)
    assert models(clinic) == wanted


def test_models_that_may_be_needed_stay(clinic: Clinic, command: ParentRun) -> None:
    registered, deleted = training(clinic, command), training(clinic, command)
    waiting = training(clinic, command, Cause.INTERRUPTED)
    work = clinic.command("baselines", "baselines-some", owner=f"another-{dead_process()}")
    in_the_making = training(clinic, work, cause=None)
    of_others = str(clinic.store.client.create_run(clinic.experiment).info.run_id)
    clinic.store.client.set_terminated(of_others)
    wanted = {
        log_model(clinic, registered, is_known=False),
        log_model(clinic, deleted),
        log_model(clinic, waiting),
        log_model(clinic, in_the_making, is_known=False),
        log_model(clinic, of_others, is_known=False),
    }
    version = Registry(clinic.store, "some")
    registered_model = next(one for one in wanted if _source(clinic, one) == registered)
    version.register(registered_model, registered, {}, "")
    clinic.store.client.delete_run(deleted)

    assert clinic.mend()[-1] == "nothing to mend"
    assert models(clinic) == wanted


def _source(clinic: Clinic, model_id: str) -> str:
    return str(clinic.store.client.get_logged_model(model_id).source_run_id)


def test_files_of_models_that_the_store_does_not_know_are_removed(clinic: Clinic, command: ParentRun) -> None:
    folders = [
        write_model(clinic, f"m-{32 * 'a'}", training(clinic, command)),
        write_model(clinic, f"m-{32 * 'b'}", 32 * "b"),
        write_model(clinic, f"m-{32 * 'c'}", None),
    ]

    assert clinic.mend_all()[-1] == "3 things mended, 9.0 MB freed"

    assert not any(folder.exists() for folder in folders)


def test_files_that_another_database_beside_the_store_may_know_stay(clinic: Clinic, command: ParentRun) -> None:
    folders = [write_model(clinic, f"m-{32 * 'b'}", 32 * "b"), write_model(clinic, f"m-{32 * 'c'}", None)]
    (clinic.folder / "other.db").touch()

    assert clinic.mend() == ["nothing to mend"]

    assert all(folder.exists() for folder in folders)


def test_parts_of_files_go_where_their_writer_is_dead_and_they_are_old(clinic: Clinic) -> None:
    dead, alive = dead_process().split()[1], os.getpid()
    old(clinic.store.checkpoints / f"a.npz.{dead}.partial")
    old(cache_dir() / "features" / "x" / f"a.npy.{dead}.partial")
    kept = {old(clinic.store.checkpoints / f"a.npz.{alive}.partial"), clinic.store.studies / f"new.{dead}.partial"}
    (clinic.store.studies / f"new.{dead}.partial").touch()

    assert clinic.mend_all()[-1] == "2 things mended, 2.0 kB freed"

    assert {*clinic.store.studies.rglob("*.partial"), *cache_dir().rglob("*.partial")} == kept


def test_room_that_a_killed_command_kept_is_freed_and_that_of_one_at_work_stays(clinic: Clinic) -> None:
    clinic.trial("COMPLETE", status="FINISHED", tags={names.STATE: "COMPLETE"})
    clinic.store.client.set_terminated(clinic.parent.run_id, "FINISHED")
    reserve = Reserve.beside(clinic.places.log)
    reserve.file.write_bytes(bytes(1000))
    work = clinic.command("baselines", "baselines-some", owner=this_process())
    assert clinic.mend()[-1] == "nothing to mend"
    assert reserve.file.exists()
    clinic.store.client.set_terminated(work.run_id, "FINISHED")

    deeds = clinic.mend_all()

    assert deeds[0] == f"removed {reserve.file}, the disk space that a command kept for its end (1.0 kB)"
    assert not reserve.file.exists()


def test_writes_that_no_server_has_got_are_told_by_a_dry_run_and_sent_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with stub_server() as server:
        store = TrackingStore(server.uri)
        store.outbox.may_send = False
        for value in ("1", "2"):
            store.outbox.write(Write("a" * 32, tags={"some": value}))
        (act,) = unsent_acts(store)
        assert act.wish.startswith("would deliver 2 writes to the tracking server, which were kept in ")
        assert (store.outbox.flush(), store.outbox.n_unsent()) == (2, 2)

        act.do()

        assert store.outbox.n_unsent() == 0
        assert list(unsent_acts(store)) == []


def test_what_cannot_be_removed_is_said_and_the_rest_is_done(
    clinic: Clinic, command: ParentRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import PipelineError

    clinic.checkpoint(32 * "a")
    (clinic.store.checkpoints / f"{32 * 'b'}-1.npz").mkdir()
    with pytest.raises(PipelineError, match="1 of 2 things could not be mended"):
        clinic.mend()
    assert [path.name for path in clinic.store.checkpoints.iterdir()] == [f"{32 * 'b'}-1.npz"]
