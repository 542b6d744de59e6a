"""The command ``doctor``: its exit codes, and a search that was killed and goes on after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clinic import Clinic
from workplace import Workplace

from pipeline.workers.events import EpochEnd, Event


def run_pipeline(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=folder, capture_output=True, text=True, check=False,
        timeout=300, env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"},
    )  # fmt: skip


@pytest.mark.slow
def test_command_mends_with_exit_code_0_and_a_dry_run_only_says(clinic: Clinic) -> None:
    run_id = clinic.trial()

    wishes = run_pipeline(clinic.folder, "doctor", "--dry_run", "true", "--study", "tiny")
    assert (wishes.returncode, wishes.stderr) == (0, "")
    assert "would requeue trial 0 of study 'tiny'" in wishes.stdout
    assert clinic.stands(run_id) == ("RUNNING", None)

    deeds = run_pipeline(clinic.folder, "doctor")
    assert (deeds.returncode, deeds.stderr) == (0, "")
    assert "requeued trial 0 of study 'tiny'" in deeds.stdout
    assert clinic.stands(run_id) == ("SCHEDULED", None)


def test_unknown_study_is_refused_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    done = run_pipeline(tmp_path, "doctor", "--study", "nobody")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "study must be one that exists, got 'nobody'; there is none yet: search first" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_folder_without_a_store_has_nothing_to_mend_and_gets_none(tmp_path: Path) -> None:
    done = run_pipeline(tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("nothing to mend\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_search_that_was_killed_goes_on_after_the_doctor(clinic: Clinic) -> None:
    place = Workplace(clinic.folder)
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", KILLED, tests], capture_output=True, check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert place.n_running() == 2

    deeds = clinic.mend_all()

    assert deeds[0].startswith("requeued trial 0 of study 'tiny'")
    assert place.n_running() == 0
    epochs: list[int] = []

    def show(event: Event) -> None:
        if isinstance(event, EpochEnd):
            epochs.append(event.epoch.number)

    place.search(trials=1, keep_models="all", epochs=40, space=str(clinic.folder / "long.yaml"), show=show)
    assert epochs[0] > 1, "it began anew, and not from its checkpoint"
    assert [trial.state.name for trial in clinic.trials()] == ["COMPLETE"]
    assert [line for line in clinic.mend() if not line.startswith("note: ")] == ["nothing to mend"]


KILLED = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from workplace import Workplace
from pipeline.workers.events import EpochEnd

def show(event):
    if isinstance(event, EpochEnd) and list((place.folder / "mlruns/studies/checkpoints").glob("*.npz")):
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(event, EpochEnd):
        time.sleep(0.3)

if __name__ == "__main__":
    place = Workplace(Path.cwd())
    (place.folder / "long.yaml").write_text("knobs: {blocks: 1, filters: 4, batch_size: 32, epochs: 40}")
    place.search(trials=1, keep_models="all", epochs=40, space=str(place.folder / "long.yaml"), show=show)
"""
