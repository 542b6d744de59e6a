"""Features are computed once, kept on disk, and computed again where they are missing or damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pipeline.data.image_set import Array
from pipeline.paths import cache_dir
from pipeline.training.feature_store import FeatureStore

SHAPE = (5, 3)
FEATURES = np.arange(15, dtype=np.float32).reshape(SHAPE)


class Computation:
    """Yields the features in two parts, and counts how often."""

    def __init__(self) -> None:
        self.n_times = 0

    def __call__(self) -> Iterator[Array]:
        self.n_times += 1
        yield FEATURES[:3]
        yield FEATURES[3:]


def never() -> None:
    raise AssertionError("nobody else computes")


def get(store: FeatureStore, compute: Computation, *, key: str = "key") -> Array:
    return store.get(key, SHAPE, compute, never)


@pytest.fixture
def compute() -> Computation:
    return Computation()


def test_features_are_computed_once_and_mapped_into_memory_by_a_later_process(
    tmp_path: Path, compute: Computation
) -> None:
    first, second = (get(FeatureStore(tmp_path / "deep" / "f"), compute) for _ in range(2))

    np.testing.assert_array_equal(first, FEATURES)
    np.testing.assert_array_equal(second, FEATURES)
    assert isinstance(second, np.memmap)
    assert compute.n_times == 1
    assert [path.name for path in (tmp_path / "deep" / "f").iterdir()] == ["key.npy"]


def test_another_key_is_computed_for_itself(tmp_path: Path, compute: Computation) -> None:
    store = FeatureStore(tmp_path)
    get(store, compute)
    get(store, compute, key="other")

    assert compute.n_times == 2


@pytest.mark.parametrize("damage", ["deleted", "garbage", "cut off", "empty", "another shape"])
def test_damaged_file_is_computed_again(tmp_path: Path, compute: Computation, damage: str) -> None:
    get(FeatureStore(tmp_path), compute)
    path = tmp_path / "key.npy"
    content = path.read_bytes()
    path.unlink()
    if damage == "another shape":
        np.save(path, FEATURES[:2])
    elif damage != "deleted":
        path.write_bytes({"garbage": b"no array" * 9, "cut off": content[:-4], "empty": b""}[damage])

    np.testing.assert_array_equal(get(FeatureStore(tmp_path), compute), FEATURES)
    assert compute.n_times == 2
    assert path.read_bytes() == content


def test_folder_that_cannot_be_written_keeps_features_in_the_process(tmp_path: Path, compute: Computation) -> None:
    (tmp_path / "file").write_text("in the folder's place")
    store = FeatureStore(tmp_path / "file")

    for _ in range(2):
        np.testing.assert_array_equal(get(store, compute), FEATURES)
    assert compute.n_times == 1


def test_computation_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def broken_off() -> Iterator[Array]:
        yield FEATURES[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FeatureStore(tmp_path).get("key", SHAPE, broken_off, never)

    assert list(tmp_path.iterdir()) == []


def test_features_that_another_process_computes_are_waited_for(tmp_path: Path, compute: Computation) -> None:
    other = FileLock(tmp_path / "key.lock")
    other.acquire()

    def wait() -> None:
        np.save(tmp_path / "key.npy", FEATURES)
        other.release()

    np.testing.assert_array_equal(FeatureStore(tmp_path).get("key", SHAPE, compute, wait), FEATURES)
    assert compute.n_times == 0


def test_cache_lies_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert FeatureStore().folder == tmp_path / "knobsearch" / "features"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "knobsearch"


def test_longest_unused_features_go_where_there_are_too_many(tmp_path: Path, compute: Computation) -> None:
    store = FeatureStore(tmp_path, most_bytes=2 * (FEATURES.nbytes + 128))
    for age, key in enumerate(("second", "first")):
        get(store, compute, key=key)
        os.utime(tmp_path / f"{key}.npy", (age, age))
    get(store, compute, key="second")  # is used again

    get(store, compute, key="third")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["second.npy", "third.npy"]
    assert compute.n_times == 3
