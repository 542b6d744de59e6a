"""What was learned of a folder of photographs, kept between commands and shared by their processes.

An entry belongs to one state of one folder: it holds the scan and, for each image size, the pixels of the photographs
that are not sealed. Nothing here is needed: where it cannot be written, the work is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from filelock import FileLock

from pipeline.data.array_file import map_array, write_array, write_whole
from pipeline.data.cache_room import MOST_BYTES, make_room
from pipeline.data.image_set import Array
from pipeline.data.photographs.scan import Scanned

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
        content = json.dumps([astuple(one) for one in scanned]).encode()
        with self._kept():
            write_whole(self.folder / "scan.json", [content])

    def pixels(self, shape: tuple[int, ...], make: Callable[[], Iterable[Array]]) -> Array:
        """Return images of (n, side, side, 3), mapped from disk, else make them one by one and keep them.

        They come in memory where they cannot be kept.
        """
        path = self.folder / f"pixels-{shape[1]}.npy"
        found = map_array(path, shape=shape, dtype=np.uint8)
        if found is None:
            with self._locked():
                found = map_array(path, shape=shape, dtype=np.uint8)
                if found is None:
                    with self._kept():
                        write_array(path, make(), shape=shape, dtype=np.uint8)
                    found = map_array(path, shape=shape, dtype=np.uint8)
        return _gathered(shape, make()) if found is None else found

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

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Let what is written inside go where it cannot be kept, and make room for it otherwise."""
        with suppress(OSError):
            yield
            make_room(self.folder, self.folder.parent.iterdir(), most_bytes=self.most_bytes)


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


def _gathered(shape: tuple[int, ...], images: Iterable[Array]) -> Array:
    gathered = np.empty(shape, np.uint8)
    for index, image in enumerate(images):
        gathered[index] = image
    return gathered
