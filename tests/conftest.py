"""What all tests share: a quiet TensorFlow, and the digits, split once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from pipeline.data.source import Split, load_training_data
from pipeline.settings import DataSettings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True)
def tracking_uri_is_left_as_it_was() -> Iterator[None]:
    """Undo what ``mlflow.set_tracking_uri`` does to the process: it outlasts every later change of the environment."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    mlflow.set_tracking_uri(None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have every download fail, and Keras's cache empty; return that cache."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    keras_home = tmp_path_factory.mktemp("keras")
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    return keras_home


@pytest.fixture(scope="session")
def digits() -> Split:
    """Return scikit-learn's 8x8 digits, split with seed 0: 1,150 training and 287 validation images."""
    return load_training_data(DataSettings(dataset="digits")).at(0)
