"""Arrays are computed once, kept on disk, and computed again where they are missing or damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pipeline.data.cache import ArrayCache
from pipeline.data.image_set import Array

SHAPE = (5, 3)
NUMBERS = np.arange(15, dtype=np.float32).reshape(SHAPE)


class Computation:
    """Yields the array in two parts, and counts how often."""

    def __init__(self) -> None:
        self.n_times = 0

    def __call__(self) -> Iterator[Array]:
        self.n_times += 1
        yield NUMBERS[:3]
        yield NUMBERS[3:]


def never() -> None:
    raise AssertionError("nobody else computes")


def get(cache: ArrayCache, compute: Computation, *, key: str = "key") -> Array:
    return cache.get(key, SHAPE, np.float32, compute, never)


@pytest.fixture
def compute() -> Computation:
    return Computation()


def test_array_is_computed_once_and_mapped_into_memory_by_a_later_process(tmp_path: Path, compute: Computation) -> None:
    first, second = (get(ArrayCache(tmp_path / "deep" / "f"), compute) for _ in range(2))

    np.testing.assert_array_equal(first, NUMBERS)
    np.testing.assert_array_equal(second, NUMBERS)
    assert isinstance(second, np.memmap)
    assert compute.n_times == 1
    assert [path.name for path in (tmp_path / "deep" / "f").iterdir()] == ["key.npy"]


def test_another_key_is_computed_for_itself(tmp_path: Path, compute: Computation) -> None:
    cache = ArrayCache(tmp_path)
    get(cache, compute)
    get(cache, compute, key="other")

    assert compute.n_times == 2


@pytest.mark.parametrize("damage", ["deleted", "garbage", "cut off", "empty", "another shape"])
def test_damaged_file_is_computed_again(tmp_path: Path, compute: Computation, damage: str) -> None:
    get(ArrayCache(tmp_path), compute)
    path = tmp_path / "key.npy"
    content = path.read_bytes()
    path.unlink()
    if damage == "another shape":
        np.save(path, NUMBERS[:2])
    elif damage != "deleted":
        path.write_bytes({"garbage": b"no array" * 9, "cut off": content[:-4], "empty": b""}[damage])

    np.testing.assert_array_equal(get(ArrayCache(tmp_path), compute), NUMBERS)
    assert compute.n_times == 2
    assert path.read_bytes() == content


def test_array_stays_in_memory_where_the_folder_cannot_be_written(tmp_path: Path, compute: Computation) -> None:
    (tmp_path / "file").write_text("in the folder's place")
    cache = ArrayCache(tmp_path / "file")

    for _ in range(2):
        np.testing.assert_array_equal(get(cache, compute), NUMBERS)
    assert compute.n_times == 1


def test_computation_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def broken_off() -> Iterator[Array]:
        yield NUMBERS[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ArrayCache(tmp_path).get("key", SHAPE, np.float32, broken_off, never)

    assert list(tmp_path.iterdir()) == []


def test_array_that_another_process_computes_is_waited_for(tmp_path: Path, compute: Computation) -> None:
    other = FileLock(tmp_path / "key.lock")
    other.acquire()

    def wait() -> None:
        np.save(tmp_path / "key.npy", NUMBERS)
        other.release()

    np.testing.assert_array_equal(ArrayCache(tmp_path).get("key", SHAPE, np.float32, compute, wait), NUMBERS)
    assert compute.n_times == 0


def test_wait_may_give_up(tmp_path: Path, compute: Computation) -> None:
    other = FileLock(tmp_path / "key.lock")

    def give_up() -> None:
        raise RuntimeError("time up")

    with other, pytest.raises(RuntimeError, match="time up"):
        ArrayCache(tmp_path).get("key", SHAPE, np.float32, compute, give_up)

    assert compute.n_times == 0


def test_file_system_without_locks_keeps_arrays(
    tmp_path: Path, compute: Computation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr("fcntl.flock", no_locks)

    np.testing.assert_array_equal(get(ArrayCache(tmp_path), compute), NUMBERS)
    assert (tmp_path / "key.npy").is_file()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_array_has_the_type_that_is_asked_for(tmp_path: Path, compute: Computation, dtype: type[np.generic]) -> None:
    np.save(tmp_path / "key.npy", NUMBERS.astype(np.int16))

    array = ArrayCache(tmp_path).get("key", SHAPE, dtype, compute)

    assert array.dtype == dtype
    np.testing.assert_array_equal(array, NUMBERS)


def test_longest_unused_arrays_go_above_the_bound(tmp_path: Path, compute: Computation) -> None:
    cache = ArrayCache(tmp_path, most_bytes=2 * (NUMBERS.nbytes + 128))
    for age, key in enumerate(("second", "first")):
        get(cache, compute, key=key)
        os.utime(tmp_path / f"{key}.npy", (age, age))
    get(cache, compute, key="second")  # is used again

    get(cache, compute, key="third")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["second.npy", "third.npy"]
    assert compute.n_times == 3


def test_size_of_what_was_used_since_a_time_counts_files_and_entries(tmp_path: Path, compute: Computation) -> None:
    cache = ArrayCache(tmp_path)
    for key in ("old", "new", "entry/a", "entry/b"):
        get(cache, compute, key=key)
    os.utime(tmp_path / "old.npy", (1000, 1000))
    size = (tmp_path / "new.npy").stat().st_size

    assert cache.bytes_used_since(2000) == 3 * size
    get(ArrayCache(tmp_path), compute, key="old")
    assert cache.bytes_used_since(2000) == 4 * size
    assert ArrayCache(tmp_path / "nowhere").bytes_used_since(0) == 0


def test_arrays_of_an_entry_go_together(tmp_path: Path, compute: Computation) -> None:
    cache = ArrayCache(tmp_path)
    for age, entry in enumerate(("new", "old")):
        for name in ("a", "b"):
            get(cache, compute, key=f"{entry}/{name}")
        os.utime(tmp_path / entry, (age, age))
    get(cache, compute, key="new/a")  # is used again

    get(replace(cache, most_bytes=3 * (NUMBERS.nbytes + 128)), compute, key="mine/a")

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.npy")) == [
        "mine/a.npy", "new/a.npy", "new/b.npy",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new"]


def test_entry_in_use_stays_however_large_it_is(tmp_path: Path, compute: Computation) -> None:
    cache = ArrayCache(tmp_path, most_bytes=1)

    for name in ("a", "b", "a"):
        get(cache, compute, key=f"mine/{name}")

    assert compute.n_times == 2
