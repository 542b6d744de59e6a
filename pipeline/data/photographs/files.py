"""List the files below a folder by their names: images, other files, and files to ignore."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.data.photographs.wording import printable
from pipeline.errors import DataError

_ENDINGS = "jpg jpeg jpe jfif png apng gif webp avif tif tiff bmp dib ppm pgm pbm pnm"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())
_CLUTTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"))


@dataclass(frozen=True)
class Files:
    """Files and folders below ``root``, as paths relative to it, in ascending order.

    ``images`` are the files with an image's suffix, broken links included; ``folders`` are those in
    ``root`` and directly below these; ``n_others`` counts all other files.
    """

    root: Path
    images: tuple[PurePosixPath, ...]
    folders: tuple[PurePosixPath, ...]
    n_others: int


def find_files(root: Path) -> Files:
    """List all files below a folder; hidden files and those of operating systems (``Thumbs.db``) are ignored.

    Links are followed, except those to a folder that contains them.

    Raises:
        DataError: a folder cannot be read.
    """
    images, folders, n_others = [], [], 0
    for entry in _walk(root, PurePosixPath(), ()):
        if entry.identity is not None:
            folders.append(entry.place)
        elif entry.place.suffix.lower() in SUFFIXES:
            images.append(entry.place)
        else:
            n_others += 1
    near = (place for place in folders if len(place.parts) <= 2)
    return Files(root, tuple(sorted(images)), tuple(sorted(near)), n_others)


def find_pictures(place: Path) -> list[Path]:
    """Return the file ``place``, or the files with an image's suffix in the folder ``place`` and below it, in order.

    Raises:
        DataError: a folder cannot be read.
    """
    return [place / found for found in find_files(place).images] if place.is_dir() else [place]


@dataclass(frozen=True)
class _Entry:
    """A file or folder; ``identity`` is the folder's device and inode, the same for all links to it; None for files."""

    place: PurePosixPath
    identity: tuple[int, int] | None


def _walk(root: Path, place: PurePosixPath, above: tuple[tuple[int, int] | None, ...]) -> Iterator[_Entry]:
    """Yield all files and folders below ``root / place``, which lies in the folders ``above``."""
    try:
        here = (*above, _identity(root / place))
        with os.scandir(root / place) as listed:
            entries = [_read(entry, place) for entry in listed if not _is_clutter(entry.name)]
    except OSError as error:
        raise DataError(
            f"{printable(root / place)}: the folder cannot be read ({error.strerror}); change its permissions, or move "
            "it away"
        ) from error
    for entry in entries:
        if entry.identity is None:
            yield entry
        elif entry.identity not in here:
            yield entry
            yield from _walk(root, entry.place, here)


def _read(entry: os.DirEntry[str], place: PurePosixPath) -> _Entry:
    return _Entry(place / entry.name, _identity(entry) if entry.is_dir() else None)


def _identity(folder: Path | os.DirEntry[str]) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _CLUTTER
