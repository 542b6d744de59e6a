"""List the files below a folder by their names: images, other files, and files to ignore."""

from __future__ import annotations

import os
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
    try:
        folders, files = _walk(root)
    except OSError as error:
        raise DataError(
            f"{printable(error.filename)}: the folder cannot be read ({error.strerror}); change its permissions, or "
            "move it away"
        ) from error
    images = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
    near = sorted(folder for folder in folders if len(folder.parts) <= 2)
    return Files(root, tuple(images), tuple(near), len(files) - len(images))


def find_pictures(place: Path) -> list[Path]:
    """Return the file ``place``, or the files with an image's suffix in the folder ``place`` and below it, in order.

    Raises:
        DataError: a folder cannot be read.
    """
    return [place / found for found in find_files(place).images] if place.is_dir() else [place]


def _walk(root: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Return the folders and the files below ``root``.

    Raises:
        OSError: a folder cannot be read; its path is the error's ``filename``.
    """
    folders, files = [], []
    above = {str(root): {_identity(root)}}  # of each folder to visit: itself, and the folders that contain it
    for here, names, file_names in os.walk(root, onerror=_raise, followlinks=True):
        place, around = PurePosixPath(here).relative_to(root), above.pop(here)
        inner = {name: _identity(Path(here, name)) for name in names if not _is_clutter(name)}
        names[:] = [name for name, identity in inner.items() if identity not in around]
        above |= {os.path.join(here, name): around | {inner[name]} for name in names}
        folders += [place / name for name in names]
        files += [place / name for name in file_names if not _is_clutter(name)]
    return folders, files


def _raise(error: OSError) -> None:
    raise error


def _identity(folder: Path) -> tuple[int, int]:
    """Return a folder's device and inode, the same for all links to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _CLUTTER
