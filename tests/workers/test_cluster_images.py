"""How images reach the workers of a cluster: pixels of arrays apart from all else, photographs by their paths."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from ray import cloudpickle
from workplace import write_photographs

from pipeline.data.source import TrainingData, load_training_data
from pipeline.settings import DataSettings


def sent(data: TrainingData) -> tuple[bytes, list[bytes]]:
    """Return data as Ray sends it: all but its arrays, and the arrays, which workers map without copying them."""
    arrays: list[pickle.PickleBuffer] = []
    rest: bytes = cloudpickle.dumps(data, protocol=5, buffer_callback=arrays.append)
    return rest, [array.raw().tobytes() for array in arrays]


def test_workers_map_the_one_copy_of_the_images_and_split_them_alike() -> None:
    data = load_training_data(DataSettings(dataset="digits"))
    rest, arrays = sent(data)
    received: TrainingData = cloudpickle.loads(rest, buffers=arrays)

    assert len(rest) < 10_000
    images = received.at(0).images.images
    assert isinstance(images, np.ndarray)
    assert any(np.shares_memory(images, np.frombuffer(array, np.uint8)) for array in arrays)
    assert not images.flags.writeable
    assert received.split_digest == data.split_digest
    assert np.array_equal(received.at(0).train.labels, data.at(0).train.labels)


def test_photographs_are_read_on_each_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_photographs(tmp_path / "photographs", n_of_each=10, suffix=".png")
    data = load_training_data(DataSettings(dataset=str(tmp_path / "photographs")))
    rest, arrays = sent(data)
    received: TrainingData = cloudpickle.loads(rest, buffers=arrays)

    assert sum(map(len, arrays)) < 10_000  # labels, groups and splits
    assert np.array_equal(received.at(16).images.images, data.at(16).images.images)
