"""Arrays that are computed once and kept on disk, for all commands and processes of a user.

Nothing depends on a kept file: a damaged one is computed again, and where none can be written, arrays stay in memory.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from pipeline.data.image_set import Array
from pipeline.locks import held_if_possible

MOST_BYTES = 20 * 10**9


@dataclass(frozen=True, eq=False)
class ArrayCache:
    """Keeps the array called ``key`` in the file ``<key>.npy`` below ``folder``.

    Above ``most_bytes`` the arrays that were not used for the longest time are removed. Those called ``<entry>/<name>``
    share the folder ``<entry>``, and are removed together.
    """

    folder: Path
    most_bytes: int = MOST_BYTES
    _in_memory: dict[str, Array] = field(default_factory=dict)

    def find(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array | None:
        """Return the array called ``key``, mapped from disk; None where it is missing or damaged."""
        if key in self._in_memory:
            return self._in_memory[key]
        try:
            array: Array = np.load(self._path(key), mmap_mode="r")
        except (OSError, EOFError, ValueError, TypeError):
            return None
        if array.shape != shape or array.dtype != dtype:
            return None
        with suppress(OSError):
            os.utime(self._entry(key))
        return array

    def get(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, compute: Callable[[], Iterable[Array]],
        wait: Callable[[], None] = lambda: None,
    ) -> Array:  # fmt: skip
        """Return the array called ``key``, computed where it is missing or damaged.

        ``compute`` yields its parts along the first axis. ``wait`` is called every half second while another process
        computes it, and may raise.
        """
        if (array := self.find(key, shape, dtype)) is not None:
            return array
        with held_if_possible(self._path(key).with_suffix(".lock"), wait):
            if (array := self.find(key, shape, dtype)) is None:
                with suppress(OSError):
                    write_whole(self._path(key), _as_npy(compute(), shape, np.dtype(dtype)))
                    make_room(self._entry(key), self._entries(), most_bytes=self.most_bytes)
                array = self.find(key, shape, dtype)
        if array is None:
            array = self._in_memory[key] = _joined(compute(), shape, dtype)
        return array

    def bytes_used_since(self, start: float) -> int:
        """Return the size of the arrays that were made or used since ``start`` of ``time.time()``."""
        with suppress(OSError):
            return sum(_size(entry) for entry in self._entries() if entry.stat().st_mtime >= start)
        return 0  # another process removes some

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def _entry(self, key: str) -> Path:
        return self._path(key).parent if "/" in key else self._path(key)

    def _entries(self) -> Iterator[Path]:
        return (path for path in self.folder.iterdir() if path.suffix == ".npy" or path.is_dir())


def write_whole(path: Path, content: Iterable[bytes]) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        OSError: it cannot be written; no part of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def make_room(entry: Path, others: Iterable[Path], *, most_bytes: int) -> None:
    """Remove the longest unused of ``others``, files or folders, until all have ``most_bytes``; ``entry`` stays.

    Raises:
        OSError: files or folders cannot be looked at.
    """
    rest = (other for other in others if other != entry)
    used = 0
    for one in [entry, *sorted(rest, key=lambda other: other.stat().st_mtime, reverse=True)]:
        used += _size(one)
        if used <= most_bytes or one == entry:
            continue
        if one.is_dir():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink(missing_ok=True)


def _size(entry: Path) -> int:
    return sum(file.stat().st_size for file in (entry.iterdir() if entry.is_dir() else [entry]))


def _as_npy(parts: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Iterator[bytes]:
    """Yield an ``.npy`` file in pieces; filling a mapped file instead, the process would be killed by a full disk."""
    header = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, described)
    yield header.getvalue()
    for part in parts:
        yield np.ascontiguousarray(part, dtype).tobytes()


def _joined(parts: Iterable[Array], shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    joined, end = np.empty(shape, dtype), 0
    for part in parts:
        start, end = end, end + len(part)
        joined[start:end] = part
    return joined
