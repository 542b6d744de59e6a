"""A command below ``mlflow run``, and what becomes of it when that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

import pipeline

ROOT = Path(pipeline.__file__).parent.parent
CHILD = """
import os, time
from pathlib import Path
from pipeline.cli.mlflow_run import end_with_mlflow_run
from pipeline.interrupts import handle_interrupts
handle_interrupts()
end_with_mlflow_run()
Path("child").write_text(str(os.getpid()))
try:
    time.sleep(60)
except KeyboardInterrupt:
    Path("ended").write_text("in order")
"""
PARENT = """
import subprocess, sys
subprocess.run(sys.argv[1:])
"""
BY_A_SHELL = ["bash", "-c", f"{sys.executable} child.py; true"]  # with one command, bash becomes that command
BY_A_SCRIPT = ["bash", "script.sh"]


def start(place: Path, command: list[str], *, has_run: bool = True) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """Start a command below a Python process as ``mlflow run`` does; return that process and the command's."""
    (place / "child.py").write_text(CHILD)
    (place / "parent.py").write_text(PARENT)
    (place / "script.sh").write_text(f"{sys.executable} child.py\ntrue\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MLFLOW_RUN_ID", None)
    environment |= {"MLFLOW_RUN_ID": "0" * 32} if has_run else {}
    parent = subprocess.Popen([sys.executable, "parent.py", *command], cwd=place, env=environment)
    pid = place / "child"
    wait_for(lambda: pid.exists() and pid.read_text() != "", seconds=60)
    return parent, psutil.Process(int(pid.read_text()))


def wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("command", [[sys.executable, "child.py"], BY_A_SHELL], ids=["directly", "by a shell"])
def test_command_ends_in_order_when_the_mlflow_run_above_it_is_killed(command: list[str], tmp_path: Path) -> None:
    parent, _ = start(tmp_path, command)
    parent.kill()
    parent.wait()
    wait_for((tmp_path / "ended").exists, seconds=10)


@pytest.mark.parametrize(
    ("command", "has_run"),
    [(BY_A_SHELL, False), (BY_A_SCRIPT, True)],
    ids=["no run of MLflow", "a shell with a script"],
)
def test_command_that_no_mlflow_run_has_started_goes_on_without_its_parent(
    command: list[str], has_run: bool, tmp_path: Path
) -> None:
    parent, child = start(tmp_path, command, has_run=has_run)
    parent.kill()
    parent.wait()
    time.sleep(2)
    assert child.is_running()
    child.kill()
    assert not (tmp_path / "ended").exists()


@pytest.mark.slow
def test_search_ends_in_order_when_mlflow_run_is_killed_and_leaves_nothing_running(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable, "-m", "mlflow", "run", str(ROOT), "-e", "search", "--env-manager", "local", "-P", "trials=40",
        "-P", "keep_models=none", "-P", "precision=float32", "-P", "strategy=plain",
    ]  # fmt: skip
    journal = tmp_path / "mlruns" / "studies" / "digits.journal"
    with (tmp_path / "out").open("w") as out:
        run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
        wait_for(lambda: "trial-0000" in (tmp_path / "out").read_text() and journal.exists(), seconds=300)
        started = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.wait()
    wait_for(lambda: not any(is_at_work(process) for process in started), seconds=15)
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert not client.search_runs(experiments, "attributes.status = 'RUNNING'")
    (study,) = client.search_runs(experiments, "tags.`pipeline.kind` = 'study'")
    assert study.info.status == "KILLED"
    assert "interrupted; the same command goes on" in (tmp_path / "out").read_text()


def is_at_work(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
