"""Commands against real servers: ``mlflow server`` on SQLite, and ``mlflow models serve`` for raw pixels."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.data.source import load_training_data
from pipeline.settings import DataSettings

pytestmark = pytest.mark.slow

SPACE = "knobs: {blocks: 1, filters: 8, head: flatten, batch_size: 32, learning_rate: 0.01, epochs: 3}\n"
_PATIENCE_SECONDS = 240


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(folder: Path, uri: str) -> dict[str, str]:
    hidden = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | {"MLFLOW_TRACKING_URI": uri, "XDG_DATA_HOME": str(folder / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}


@contextmanager
def server(folder: Path, uri: str, port: int, probe: str, *words: str) -> Iterator[str]:
    """Run a server of MLflow until it answers at ``probe``, and end it and its children by their group."""
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env=environment(folder, uri), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}{probe}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
    pytest.fail(f"{url} does not answer")


def command(folder: Path, uri: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=folder, env=environment(folder, uri), capture_output=True,
        text=True, check=False, timeout=600,
    )  # fmt: skip


def test_champion_of_a_server_answers_http_requests_with_raw_pixels(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SPACE)
    store = ("server", "--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}", "--workers", "1",
             "--artifacts-destination", str(tmp_path / "artifacts"))  # fmt: skip
    with server(tmp_path, "", free_port(), "/health", *store) as uri:
        searched = command(tmp_path, uri, "search", "--space", "one.yaml", "--trials", "1")
        assert searched.returncode == 0, searched.stderr
        promoted = command(tmp_path, uri, "promote", "--finalists", "1", "--seeds", "1")
        assert (promoted.returncode, promoted.stderr) == (0, "")
        assert "digits version 1 is champion: there was no champion" in promoted.stdout
        assert "View run" not in searched.stdout + promoted.stdout, "MLflow's own links"
        again = command(tmp_path, uri, "promote", "--finalists", "1", "--seeds", "1")
        assert (again.returncode, again.stderr.count("\n")) == (3, 1), again.stderr
        assert again.stderr.startswith("error: refused: digits version 2 stays challenger: it does not beat champion")
        assert MlflowClient(uri).get_model_version_by_alias("digits", "challenger").version in (2, "2")

        images = load_training_data(DataSettings()).at(0).train
        serving = ("models", "serve", "-m", "models:/digits@champion", "--env-manager", "local")
        with server(tmp_path, uri, free_port(), "/ping", *serving) as url:
            body = json.dumps({"inputs": images.images[:50].tolist()}).encode()
            request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as response:
                answers = json.load(response)["predictions"]

    assert len(answers) == 50
    assert set(answers[0]) == {"class", "probability", *(f"probability_{digit}" for digit in range(10))}
    right = [answer["class"] == str(label) for answer, label in zip(answers, images.labels, strict=False)]
    assert np.mean(right) > 0.8
