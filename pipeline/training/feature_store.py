"""Features computed once: arrays on disk by key, for all trials, workers and studies on a machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from pipeline.data.array_file import map_array, write_array
from pipeline.data.cache_room import MOST_BYTES, make_room
from pipeline.data.image_set import Array
from pipeline.paths import cache_dir

_LOCK_POLL_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Keeps arrays of float32 as ``<key>.npy``; where the folder cannot be written, in this process.

    Above ``most_bytes`` the arrays that were not used for the longest time go.
    """

    folder: Path = field(default_factory=lambda: cache_dir() / "features")
    most_bytes: int = MOST_BYTES
    _held: dict[str, Array] = field(default_factory=dict)

    def get(
        self, key: str, shape: tuple[int, ...], compute: Callable[[], Iterable[Array]], wait: Callable[[], None]
    ) -> Array:
        """Return the array called ``key``, which is computed where it is missing or cannot be read.

        ``compute`` yields it in parts along the first axis; ``wait`` is called while another process computes it, and
        may raise. What lies on disk is mapped into memory, and read as it is used.
        """
        if key in self._held:
            return self._held[key]
        path = self.folder / f"{key}.npy"
        try:
            return self._from_disk(path, shape, compute, wait)
        except (OSError, NotImplementedError):  # a cache that cannot be written or locked must not stop a training
            self._held[key] = np.concatenate(list(compute()))
            return self._held[key]

    def _from_disk(
        self, path: Path, shape: tuple[int, ...], compute: Callable[[], Iterable[Array]], wait: Callable[[], None]
    ) -> Array:
        if (array := map_array(path, shape=shape, dtype=np.float32)) is not None:
            with contextlib.suppress(OSError):
                os.utime(path)
            return array
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = _acquired(path.with_suffix(".lock"), wait)
        try:
            if (array := map_array(path, shape=shape, dtype=np.float32)) is None:
                write_array(path, compute(), shape=shape, dtype=np.float32)
                make_room(path, self.folder.glob("*.npy"), most_bytes=self.most_bytes)
                array = map_array(path, shape=shape, dtype=np.float32)
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)
        if array is None:
            raise OSError(f"{path} is not what was written")
        return array


def _acquired(path: Path, wait: Callable[[], None]) -> FileLock:
    lock = FileLock(path)
    while True:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=_LOCK_POLL_SECONDS)
            return lock
        wait()
