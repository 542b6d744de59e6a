"""What was learned of a folder of photographs, kept between commands and shared by their processes.

An entry belongs to one state of one folder: it holds the scan and, for each image size, the pixels of the photographs
that are not sealed. Nothing here is needed: where it cannot be written, the work is done again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy

from pipeline.data.image_set import Array
from pipeline.data.photographs.scan import Scanned

MOST_BYTES = 20 * 10**9
_VERSION = 1  # to be raised with any change of scan, selection or decoding
_UNREADABLE = (OSError, EOFError, ValueError, TypeError)


@dataclass(frozen=True)
class CacheEntry:
    """The folder of one entry, which need not exist; entries beside it go, the longest unused first, above a bound."""

    folder: Path
    most_bytes: int = MOST_BYTES

    def read_scan(self) -> tuple[Scanned, ...] | None:
        """Return the scan that is kept, and mark the entry as used now."""
        try:
            found = tuple(Scanned(*one) for one in json.loads((self.folder / "scan.json").read_bytes()))
        except _UNREADABLE:
            return None
        with suppress(OSError):
            os.utime(self.folder)
        return found

    def keep_scan(self, scanned: tuple[Scanned, ...]) -> None:
        """Keep a scan for the commands and processes to come."""
        self._write("scan.json", [json.dumps([astuple(one) for one in scanned]).encode()])

    def pixels(self, shape: tuple[int, ...], make: Callable[[], Iterable[Array]]) -> Array:
        """Return images of (n, side, side, 3), mapped from disk, else make them one by one and keep them.

        They come in memory where they cannot be kept.
        """
        name = f"pixels-{shape[1]}.npy"
        found = self._map(name, shape)
        if found is None:
            with self._locked():
                found = self._map(name, shape)
                if found is None:
                    self._write(name, _as_npy(shape, make()))
                    found = self._map(name, shape)
        return _gathered(shape, make()) if found is None else found

    def _map(self, name: str, shape: tuple[int, ...]) -> Array | None:
        try:
            found: Array = np.load(self.folder / name, mmap_mode="r")
        except _UNREADABLE:
            return None
        return found if found.shape == shape else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from doing the same work; without a lock they may, and nothing is lost but time."""
        lock = FileLock(self.folder / "lock")
        with suppress(OSError, NotImplementedError):  # a folder that cannot be written, a file system without locks
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _write(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file under a temporary name, then rename it; leave none where that fails."""
        partial = self.folder / f"{name}.{os.getpid()}.partial"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.writelines(content)
                partial.replace(self.folder / name)
            finally:
                partial.unlink(missing_ok=True)
            self._make_room()

    def _make_room(self) -> None:
        others = (folder for folder in self.folder.parent.iterdir() if folder != self.folder)
        used = 0
        for folder in [self.folder, *sorted(others, key=lambda other: other.stat().st_mtime, reverse=True)]:
            used += sum(file.stat().st_size for file in folder.iterdir())
            if used > self.most_bytes and folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)


def cache_key(root: Path, places: Sequence[PurePosixPath]) -> str:
    """Return 32 hexadecimal digits that change with the folder's path, and any file's path, size or time of change.

    The folder's own path is part of it: two folders can agree in all the rest and still hold different pixels.
    """
    state = hashlib.sha256(f"{_VERSION}".encode() + os.fsencode(root.resolve()))
    for place in places:
        size = changed = -1
        with suppress(OSError):  # a link to a file that is gone; the scan tells the user
            status = (root / place).stat()
            size, changed = status.st_size, status.st_mtime_ns
        state.update(b"\0" + os.fsencode(place) + f"\0{size}\0{changed}".encode())
    return state.hexdigest()[:32]


def _as_npy(shape: tuple[int, ...], images: Iterable[Array]) -> Iterator[bytes]:
    """Yield an ``.npy`` piece by piece; where a file is mapped to be filled, a full disk ends the process."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    yield header.getvalue()
    for image in images:
        yield image.tobytes()


def _gathered(shape: tuple[int, ...], images: Iterable[Array]) -> Array:
    gathered = np.empty(shape, np.uint8)
    for index, image in enumerate(images):
        gathered[index] = image
    return gathered
