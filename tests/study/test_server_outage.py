"""A tracking server that goes in mid-search, is killed or stands still, and comes back: nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow_server import Server, running_server, wait_for

import pipeline

pytestmark = pytest.mark.slow

ROOT = Path(pipeline.__file__).parent.parent
SPACE = """
knobs:
  {blocks: 1, filters: {low: 4, high: 32}, batch_size: 16, epochs: 30}
"""
N_TRIALS = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as server:
        yield server


def search(server: Server) -> subprocess.Popen[str]:
    """Start a search on the server."""
    (server.folder / "tiny.yaml").write_text(SPACE)
    command = [
        sys.executable, "-m", "pipeline", "search", "--space", "tiny.yaml", "--study", "tiny", "--trials",
        str(N_TRIALS), "--strategy", "plain", "--pruner", "none", "--precision", "float32", "--keep-models", "all",
    ]  # fmt: skip
    environment = {
        **os.environ, "MLFLOW_TRACKING_URI": server.uri, "XDG_DATA_HOME": str(server.folder / "home"),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    with (server.folder / "out").open("a") as out:
        return subprocess.Popen(command, cwd=server.folder, env=environment, stdout=out, stderr=out, text=True)


def said(server: Server) -> str:
    return (server.folder / "out").read_text()


def runs_of(server: Server, condition: str) -> list[Run]:
    client = MlflowClient(server.uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, condition))


def check_nothing_is_lost(server: Server) -> None:
    client = MlflowClient(server.uri)
    trials = runs_of(server, "tags.`pipeline.kind` = 'trial'")
    assert [run.info.status for run in trials] == ["FINISHED"] * N_TRIALS
    for run in trials:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "val_accuracy")]
        assert steps == [*range(1, 31)]
        assert len(run.outputs.model_outputs) == 1
    assert runs_of(server, "attributes.status = 'RUNNING'") == []
    assert list((server.folder / "home").rglob("*.jsonl")) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "standing still"])
def test_search_goes_on_while_its_server_is_away_and_the_server_gets_all_of_it(server: Server, how: int) -> None:
    run = search(server)
    wait_for(lambda: "trial-0000  COMPLETE" in said(server), seconds=300)
    time.sleep(3)  # somewhere in the next trial
    server.send(how)
    time.sleep(30)
    assert run.poll() is None
    if how == signal.SIGKILL:
        assert "does not answer" in said(server)
        server.start()
    else:
        server.send(signal.SIGCONT)
    assert run.wait(600) == 0, said(server)
    check_nothing_is_lost(server)


def test_command_whose_server_does_not_come_back_keeps_what_is_unsent_for_the_next_one(server: Server) -> None:
    run = search(server)
    wait_for(lambda: "trial-0000  COMPLETE" in said(server), seconds=300)
    time.sleep(3)
    server.send(signal.SIGKILL)
    wait_for(lambda: "does not answer" in said(server), seconds=120)
    run.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert run.wait(60) == 130, said(server)
    assert time.monotonic() - start < 20
    assert "the next command sends them first" in said(server)
    assert "Traceback" not in said(server)

    again = search(server)
    assert again.wait(60) == 2
    assert "error: the tracking store must be one that MLflow opens" in said(server)
    server.start()
    third = search(server)
    assert third.wait(600) == 0, said(server)
    check_nothing_is_lost(server)
