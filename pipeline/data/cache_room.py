"""Keep a cache within bounds: what was not used for the longest time goes first."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

MOST_BYTES = 20 * 10**9


def make_room(entry: Path, others: Iterable[Path], *, most_bytes: int) -> None:
    """Remove of the ``others``, files or folders, the longest unused until all have ``most_bytes``; ``entry`` stays.

    Raises:
        OSError: the cache cannot be looked through.
    """
    rest = (other for other in others if other != entry)
    used = 0
    for one in [entry, *sorted(rest, key=lambda other: other.stat().st_mtime, reverse=True)]:
        used += _size(one)
        if used > most_bytes and one != entry:
            _remove(one)


def _size(entry: Path) -> int:
    files = entry.iterdir() if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files)


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
