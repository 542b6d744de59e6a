"""Read every file once: the digest of its bytes, and whether it is a whole image."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.data.image_set import Array
from pipeline.data.photographs.decoding import FORMATS, in_threads
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

SCANNED = np.dtype([("sha256", "S64"), ("is_misnamed", "?")])
"""A whole image: the SHA-256 of its file in hexadecimal, and whether the file's suffix is of another image format."""

_VERSION = 1  # to be raised with any change of scan, selection or decoding
_KIND_OF = {"DIB": "BMP", "MPO": "JPEG"}


def folder_state(root: Path, places: Sequence[PurePosixPath]) -> str:
    """Return 32 hexadecimal digits that change with the folder's path, and any file's path, size or time of change.

    The folder's own path is part of it: two folders can agree in all the rest and still hold different pixels.
    """
    state = hashlib.sha256(f"{_VERSION}".encode() + os.fsencode(root.resolve()))
    for place in places:
        size = changed = -1
        with suppress(OSError):  # a broken link, which the scan reports
            status = (root / place).stat()
            size, changed = status.st_size, status.st_mtime_ns
        state.update(b"\0" + os.fsencode(place) + f"\0{size}\0{changed}".encode())
    return state.hexdigest()[:32]


def scan(root: Path, places: Sequence[PurePosixPath]) -> Array:
    """Check the files at ``places`` below ``root``; return a record of type ``SCANNED`` for each, shape (n,).

    Raises:
        DataError: some are not whole images; the message counts all of them.
    """
    found = list(in_threads(_read, [root / place for place in places]))
    broken = [f"{printable(place)} ({one})" for place, one in zip(places, found, strict=True) if isinstance(one, str)]
    if broken:
        raise DataError(
            f"{printable(root)}: every file must be a whole image, but {len(broken):,} of {len(places):,} files cannot "
            f"be read as images: {some_of(broken)}; repair or remove them"
        )
    return np.array(found, SCANNED)


def _read(path: Path) -> tuple[str, bool] | str:
    """Return a file's record, or the reason why it cannot be read as an image."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return error.strerror or "unreadable"
    if not content:
        return "empty"
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("RGB", (1, 1))  # the least work that still reads the file to its end
            image.load()
            kind = image.format or ""
    except Exception as error:  # Pillow raises anything from OSError to struct.error for damaged files
        return _reason(error)
    named = Image.registered_extensions().get(path.suffix.lower(), "")
    return hashlib.sha256(content).hexdigest(), _KIND_OF.get(kind, kind) != _KIND_OF.get(named, named)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    return "truncated" if "truncated" in str(error).lower() else "damaged"
