"""A folder of photographs as a source of training images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.photographs.cache import CacheEntry, cache_key
from pipeline.data.photographs.classes import check_classes
from pipeline.data.photographs.decoding import decode
from pipeline.data.photographs.files import find_files
from pipeline.data.photographs.layout import recognise
from pipeline.data.photographs.scan import scan
from pipeline.data.photographs.selection import Known, Selection, content_digest, select
from pipeline.data.photographs.threads import in_threads
from pipeline.data.photographs.wording import printable
from pipeline.data.pixels import StoredPixels
from pipeline.errors import DataError
from pipeline.paths import cache_dir

DEFAULT_IMAGE_SIZE = 96
_MEMORY_SHARE = 0.25  # of the machine's memory: larger arrays stay on disk


@dataclass(frozen=True)
class SealedPhotographs:
    """The test part: files that no search reads as images, kept for the final evaluation."""

    paths: tuple[Path, ...]
    labels: Array


@dataclass(frozen=True, eq=False)
class PhotographFolder:
    """The photographs of a folder but for its sealed test part; an ``ImageSource``.

    Arrays of more than ``most_bytes_in_memory`` stay on disk.
    """

    name: str
    root: Path
    class_names: tuple[str, ...]
    digest: str
    profile: dict[str, object]
    selection: Selection
    cache: CacheEntry
    most_bytes_in_memory: int

    @property
    def source(self) -> str:
        """The folder."""
        return str(self.root)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image: of any size, in colour."""
        return (-1, -1, 3)

    @property
    def dtype(self) -> str:
        """Type of the pixels."""
        return "uint8"

    @cached_property
    def labels(self) -> Array:
        """Class numbers, shape (n,)."""
        return self._labels(self._seen)

    @cached_property
    def groups(self) -> Array:
        """Numbers that files of the same bytes share, shape (n,)."""
        groups: Array = np.unique([one.sha256 for one in self._seen], return_inverse=True)[1]
        return groups

    @property
    def given_validation(self) -> Array | None:
        """Indices of the photographs of a validation folder; None where there is none."""
        n_train, n_seen = len(self.selection.train), len(self._seen)
        return np.arange(n_train, n_seen) if n_seen > n_train else None

    @property
    def sealed(self) -> SealedPhotographs:
        """The test part, unread."""
        return SealedPhotographs(self._paths(self.selection.sealed), self._labels(self.selection.sealed))

    def images_at(self, image_size: int) -> ImageSet:
        """Return the photographs squashed to squares of ``image_size`` pixels a side; 0: of 96.

        Raises:
            DataError: a file was changed or removed meanwhile.
        """
        side = image_size or DEFAULT_IMAGE_SIZE
        shape = (len(self._seen), side, side, 3)
        pixels = self.cache.pixels(shape, lambda: self._decode(side))
        fits = not isinstance(pixels, np.memmap) or pixels.nbytes <= self.most_bytes_in_memory
        images = np.array(pixels) if fits else StoredPixels(pixels, np.arange(len(pixels)))
        return ImageSet(self.name, self.source, images, self.labels, self.class_names)

    def open_sealed(self) -> SealedFolder:
        """Return the test part, to be looked at."""
        return SealedFolder(self, self.sealed)

    @property
    def _seen(self) -> tuple[Known, ...]:
        return self.selection.train + self.selection.validation

    def _decode(self, side: int) -> Iterator[Array]:
        return in_threads(lambda path: _decode_checked(path, side), self._paths(self._seen))

    def _paths(self, known: tuple[Known, ...]) -> tuple[Path, ...]:
        return tuple(self.root / one.photograph.place for one in known)

    def _labels(self, known: tuple[Known, ...]) -> Array:
        return np.array([self.class_names.index(one.photograph.class_name) for one in known], np.int32)


@dataclass(frozen=True, eq=False)
class SealedFolder:
    """The sealed test part of a folder of photographs, opened; its pixels are never cached."""

    folder: PhotographFolder
    files: SealedPhotographs

    @property
    def labels(self) -> Array:
        """Class numbers, shape (n,)."""
        return self.files.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""
        return self.folder.class_names

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that change with any file of the test part, or its class."""
        state = hashlib.sha256(repr((self.class_names, self.labels.tolist())).encode())
        for one in self.folder.selection.sealed:
            state.update(one.sha256.encode())
        return state.hexdigest()[:32]

    def images_at(self, image_size: int) -> ImageSet:
        """Decode the photographs as squares of ``image_size`` pixels a side; 0: of 96.

        Raises:
            DataError: a file was changed or removed meanwhile.
        """
        side = image_size or DEFAULT_IMAGE_SIZE
        pixels = np.stack(list(in_threads(lambda path: _decode_checked(path, side), self.files.paths)))
        return ImageSet(self.folder.name, self.folder.source, pixels, self.labels, self.class_names)


def _decode_checked(path: Path, side: int) -> Array:
    try:
        return decode(path, side, side)
    except Exception as error:  # Pillow raises anything; all files were whole when the folder was scanned
        raise DataError(
            f"{printable(path)}: photographs must stay as they are while they are used, but this one cannot be "
            f"read any more ({printable(error)}); restore it, and start again"
        ) from error


def load_photographs(
    root: Path, *, name: str, cache_folder: Path | None = None, most_bytes_in_memory: int | None = None
) -> PhotographFolder:
    """List a folder of photographs, check every file once, and seal its test part.

    Scan and pixels are kept in ``cache_folder``, by default the user's own; arrays larger than
    ``most_bytes_in_memory``, by default a quarter of the machine's memory, stay on disk.

    Raises:
        DataError: no known layout, files that are no images, or too few of a class.
    """
    files = find_files(root)
    layout = recognise(files)
    class_names = check_classes(root, layout)
    places = [photograph.place for photograph in layout.photographs]
    cache = CacheEntry((cache_folder or cache_dir() / "photographs") / cache_key(root, places))
    kept = cache.read_scan()
    scanned = scan(root, places) if kept is None else kept
    known = [Known(*pair) for pair in zip(layout.photographs, (one.sha256 for one in scanned), strict=True)]
    selection = select(root, class_names, known)
    if kept is None:
        cache.keep_scan(scanned)
    profile = {
        "n_files": len(known),
        "n_sealed": len(selection.sealed),
        **selection.counts,
        "n_misnamed_files": sum(one.is_misnamed for one in scanned),
        "n_other_files": files.n_others,
    }
    if most_bytes_in_memory is None:
        most_bytes_in_memory = round(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return PhotographFolder(
        name, root, class_names, content_digest(class_names, known), profile, selection, cache, most_bytes_in_memory
    )
