"""Read every file once: a digest of its bytes, and whether it is a whole image."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from pipeline.data.photographs.decoding import FORMATS
from pipeline.data.photographs.threads import in_threads
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

_KIND_OF = {"DIB": "BMP", "MPO": "JPEG"}


@dataclass(frozen=True)
class Scanned:
    """A whole image: the SHA-256 of its file, and whether the file's name calls it another kind of image."""

    sha256: str
    is_misnamed: bool


@dataclass(frozen=True)
class _Broken:
    reason: str


def scan(root: Path, places: Sequence[PurePosixPath]) -> tuple[Scanned, ...]:
    """Check the files at ``places`` below ``root``, in their order; no pixels are kept.

    Raises:
        DataError: some are no whole images; all of them are counted in the message.
    """
    found = list(in_threads(_read, [root / place for place in places]))
    broken = [
        f"{printable(place)} ({one.reason})"
        for place, one in zip(places, found, strict=True)
        if isinstance(one, _Broken)
    ]
    if broken:
        raise DataError(
            f"{printable(root)}: every file must be a whole image, but {len(broken):,} of {len(places):,} files cannot "
            f"be read as images: {some_of(broken)}; mend or remove them"
        )
    return tuple(one for one in found if isinstance(one, Scanned))


def _read(path: Path) -> Scanned | _Broken:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _Broken(error.strerror or "unreadable")
    if not content:
        return _Broken("empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("RGB", (1, 1))  # the least work that still reads the file to its end
            image.load()
            kind = image.format or ""
    except Exception as error:  # Pillow raises anything from OSError to struct.error over damaged files
        return _Broken(_reason(error))
    named = Image.registered_extensions().get(path.suffix.lower(), "")
    return Scanned(hashlib.sha256(content).hexdigest(), _KIND_OF.get(kind, kind) != _KIND_OF.get(named, named))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    return "truncated" if "truncated" in str(error).lower() else "damaged"
