"""What all tests share: a quiet TensorFlow, and the digits, split once."""

from __future__ import annotations

import os

import pytest

from pipeline.data.source import Split, load_training_data
from pipeline.settings import DataSettings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def digits() -> Split:
    """Return scikit-learn's 8x8 digits, split with seed 0: 1,150 training and 287 validation images."""
    return load_training_data(DataSettings(dataset="digits")).at(0)
