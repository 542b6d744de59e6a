"""Real photographs: four kinds of weather in one folder, with 24 groups of copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import open_sealed

from pipeline.data.source import TrainingData, load_training_data
from pipeline.paths import default_data_dir
from pipeline.settings import DataSettings

WEATHER = default_data_dir() / "weather"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEATHER.is_dir(), reason=f"there is no folder {WEATHER}"),
]


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def load(seed: int) -> TrainingData:
    return load_training_data(DataSettings(dataset=str(WEATHER), seed=seed))


@pytest.fixture
def weather(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingData:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return load(0)


def test_copies_are_found_and_kept_together(weather: TrainingData) -> None:
    groups, partition = weather.images.groups, weather.partition

    assert weather.images.profile["n_duplicate_groups"] == 24
    assert weather.images.profile["n_contradictory_files"] == 0
    assert groups is not None
    assert not set(groups[partition.train]) & set(groups[partition.validation])


def test_four_classes_are_split_about_seven_to_three(weather: TrainingData) -> None:
    n_files = len(list(WEATHER.iterdir()))

    assert weather.images.class_names == ("cloudy", "rain", "shine", "sunrise")
    assert weather.images.profile["n_files"] == n_files
    assert 0.66 < len(weather.partition.train) / n_files < 0.72


def test_another_seed_validates_otherwise_and_seals_the_same(weather: TrainingData) -> None:
    other = load(1)

    assert open_sealed(other.images).digest == open_sealed(weather.images).digest
    assert other.images.digest == weather.images.digest
    assert other.split_digest != weather.split_digest


def test_sunrises_are_redder_than_rain(weather: TrainingData) -> None:
    split = weather.at(64)
    redness = split.train.images[..., 0].mean(axis=(1, 2)) - split.train.images[..., 2].mean(axis=(1, 2))

    by_class = {
        name: redness[split.train.labels == label].mean() for label, name in enumerate(split.images.class_names)
    }

    assert split.images.input_shape == (64, 64, 3)
    assert np.isfinite(redness).all()
    assert by_class["sunrise"] > by_class["rain"] + 20
