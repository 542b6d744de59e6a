"""The whole command as a user runs it: interrupted by Ctrl-C in a trial, then run again to its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

pytestmark = pytest.mark.slow

# The second trial is long enough to be at work when the first one's line is read.
SPACE = """
knobs: {blocks: 1, filters: 4, batch_size: 16, epochs: {choices: [1, 25]}}
first_trials: [{epochs: 1}, {epochs: 25}]
"""
COMMAND = [
    *(sys.executable, "-m", "pipeline", "search", "--space", "my.yaml", "--trials", "2"),
    *("--strategy", "plain", "--pruner", "none", "--keep_models", "none", "--study", "mine"),
]


@dataclass(frozen=True)
class Ended:
    """A command that has ended, and the runs as they were then."""

    code: int
    out: str
    err: str
    runs: list[Run]

    def trials(self) -> dict[str, str]:
        trials = [run for run in self.runs if run.data.tags["pipeline.kind"] == "trial"]
        return {str(run.info.run_name): run.info.status for run in trials}


def start(folder: Path) -> subprocess.Popen[str]:
    hidden = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.Popen(
        COMMAND, cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip


def _hear_ctrl_c() -> None:
    """Undo what a shell does to its background jobs: such a test run, and all that it starts, is deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str], folder: Path, *, read: str = "") -> Ended:
    out, err = process.communicate(timeout=300)
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return Ended(process.returncode, read + out, err, client.search_runs(experiments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "my.yaml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> Ended:
    """Press Ctrl-C, which the whole process group gets, while the second trial is at work."""
    process = start(folder)
    assert process.stdout is not None
    read = ""
    while "trial-0000" not in read:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        read += line
    os.killpg(process.pid, signal.SIGINT)
    return ended(process, folder, read=read)


@pytest.fixture(scope="module")
def continued(folder: Path, interrupted: Ended) -> Ended:
    return ended(start(folder), folder)


@pytest.fixture(scope="module")
def again(folder: Path, continued: Ended) -> Ended:
    return ended(start(folder), folder)


def test_interrupted_search_exits_with_130_and_one_line(interrupted: Ended) -> None:
    assert interrupted.code == 130
    message = interrupted.err.lstrip("\n")  # the one that click puts after ^C
    assert message == "error: interrupted; the same command goes on where it stopped\n"


def test_interrupted_search_leaves_no_run_running(interrupted: Ended) -> None:
    assert "RUNNING" not in {run.info.status for run in interrupted.runs}
    assert interrupted.trials()["trial-0000"] == "FINISHED"
    assert set(interrupted.trials().values()) <= {"FINISHED", "SCHEDULED"}
    (study_run,) = [run for run in interrupted.runs if run.data.tags["pipeline.kind"] == "study"]
    assert study_run.info.status == "KILLED"


def test_same_command_goes_on_to_the_total(interrupted: Ended, continued: Ended) -> None:
    assert (continued.code, continued.err) == (0, "")
    statuses = list(continued.trials().values())
    assert statuses.count("FINISHED") == 2
    assert "RUNNING" not in {run.info.status for run in continued.runs}
    assert "study 'mine': 1 trials finished, 1 trials to go" in continued.out


def test_trial_that_was_cut_off_is_tried_again_with_its_knobs(continued: Ended) -> None:
    finished = [run for run in continued.runs if run.info.status == "FINISHED" and "epochs" in run.data.params]
    epochs = [run.data.params["epochs"] for run in finished if run.data.tags["pipeline.kind"] == "trial"]
    assert sorted(epochs) == ["1", "25"]


def test_all_commands_of_a_study_share_one_study_run(again: Ended) -> None:
    study_runs = [run for run in again.runs if run.data.tags["pipeline.kind"] == "study"]
    assert [run.info.status for run in study_runs] == ["FINISHED"]
    parents = {run.data.tags["mlflow.parentRunId"] for run in again.runs if run.data.tags["pipeline.kind"] == "trial"}
    assert parents == {study_runs[0].info.run_id}


def test_plain_output_is_free_of_library_chatter(continued: Ended) -> None:
    assert not re.search(r"tensorflow|warning|oneDNN|alembic|sqlalchemy|\[I \d|INFO", continued.out, re.IGNORECASE)
    assert "\x1b" not in continued.out


def test_output_ends_with_the_ui_command_and_the_log(folder: Path, continued: Ended) -> None:
    ui, log = continued.out.splitlines()[-2:]
    assert ui.endswith(f"mlflow ui --backend-store-uri 'sqlite:///{folder / 'mlflow.db'}'")
    assert log.endswith(str(folder / "mlruns" / "studies" / "mine.log"))
    assert (folder / "mlruns" / "studies" / "mine.log").is_file()


def test_command_with_nothing_left_to_do_says_so(again: Ended) -> None:
    assert (again.code, again.err) == (0, "")
    assert "2 trials finished, nothing left to do" in again.out
    assert "No trial was run" in again.out
    assert "Leaderboard" in again.out
