"""The disk becomes full in the middle of a study: it ends in order, and the same command goes on when there is room."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from mlflow.exceptions import MlflowException
from workplace import Workplace, enter

from pipeline.errors import DiskFull
from pipeline.study import journal as journal_module
from pipeline.study.storage import open_storage
from pipeline.workers.events import EpochEnd, Event

pytestmark = pytest.mark.slow

SPACE = "knobs: {blocks: 1, filters: 4, batch_size: 8, epochs: {choices: [60, 61]}}\nfirst_trials: [{epochs: 60}]\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that is a disk of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until nothing more can be written."""
    with file.open("wb", buffering=0) as out:
        for n_bytes in (2**16, 2**9, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(n_bytes))


def states(place: Workplace) -> list[tuple[str, int]]:
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal)))
    return [(trial.state.name, trial.user_attrs.get("deaths", 0)) for trial in study.get_trials()]


def steps(place: Workplace) -> list[int]:
    (run,) = place.runs("trial")
    return [point.step for point in place.client.get_metric_history(run.info.run_id, "val_accuracy")]


def test_full_disk_ends_a_study_in_order_and_the_trial_goes_on_after_space_is_freed(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = enter(monkeypatch, small_disk)
    (small_disk / "tiny.yaml").write_text(SPACE)
    command = [sys.executable, "-m", "pipeline", "search", "--space", "tiny.yaml", "--study", "tiny", "--trials", "1"]
    command += ["--strategy", "plain", "--pruner", "none", "--keep-models", "none", "--data-dir", str(small_disk)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=small_disk, text=True, **pipes) as process:
        wait_for_an_epoch(place, process)
        fill(small_disk / "filler")
        _, error = process.communicate(timeout=120)
    (line,) = error.splitlines()
    assert process.returncode == 1, error
    assert line.startswith(f"error: the disk of '{small_disk}/mlruns/studies' is full: ")
    assert "32 MB are needed to go on; free some space and repeat the command" in line
    assert states(place) == [("WAITING", 0)]
    assert place.n_running() == 0

    again = subprocess.run(command, cwd=small_disk, capture_output=True, text=True, check=False)
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1), again.stderr
    assert f"the folder '{small_disk}/mlruns/studies' must have room for 32 MB" in again.stderr

    (small_disk / "filler").unlink()
    done = subprocess.run(command, cwd=small_disk, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert states(place) == [("COMPLETE", 0)]
    assert steps(place) == [*range(1, 61)]


def wait_for_an_epoch(place: Workplace, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        with suppress(MlflowException, ValueError):
            if place.places.journal.exists() and steps(place):
                return
    raise AssertionError("no epoch within two minutes")


def test_write_that_finds_the_disk_full_in_the_coordinating_process_leaves_nothing_running(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace.folder / "tiny.yaml").write_text(SPACE.replace("60", "3").replace("61", "4"))
    write = os.write

    def fill_for_one_write(descriptor: int, content: bytes) -> int:
        monkeypatch.setattr(journal_module.os, "write", write)
        write(descriptor, content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill_at_the_first_epoch(event: Event) -> None:
        if isinstance(event, EpochEnd) and event.epoch.number == 1:
            monkeypatch.setattr(journal_module.os, "write", fill_for_one_write)

    with pytest.raises(DiskFull, match="is full"):
        workplace.search(trials=1, keep_models="none", pruner="none", show=fill_at_the_first_epoch)
    assert states(workplace) == [("WAITING", 0)]
    assert workplace.n_running() == 0
    workplace.search(trials=1, keep_models="none", pruner="none")
    assert states(workplace) == [("COMPLETE", 0)]
    assert steps(workplace) == [1, 2, 3]
