"""A folder of photographs as a source of training images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data.cache import ArrayCache
from pipeline.data.image_set import Array, ImageSet
from pipeline.data.photographs.decoding import decode, in_threads
from pipeline.data.photographs.files import find_files
from pipeline.data.photographs.layout import check_classes, recognise
from pipeline.data.photographs.scan import SCANNED, folder_state, scan
from pipeline.data.photographs.selection import Known, Selection, content_digest, select
from pipeline.data.photographs.wording import printable
from pipeline.data.pixels import Pixels, StoredPixels
from pipeline.errors import DataError
from pipeline.paths import cache_dir

DEFAULT_IMAGE_SIZE = 96
_MEMORY_SHARE = 0.25  # of the machine's memory: larger arrays stay on disk


@dataclass(frozen=True, eq=False)
class PhotographFolder:
    """The photographs of a folder without its sealed test part; an ``ImageSource``.

    ``cache`` keeps the pixels of each size as ``<state>/pixels-<side>``, where ``state`` is that of the folder's files.
    Arrays of more than ``most_bytes_in_memory`` stay on disk.
    """

    name: str
    root: Path
    class_names: tuple[str, ...]
    digest: str
    profile: dict[str, object]
    selection: Selection
    cache: ArrayCache
    state: str
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
        return self.labels_of(self._seen)

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

    def images_at(self, image_size: int) -> ImageSet:
        """Return the photographs resized to squares of ``image_size`` pixels a side; 0: of 96.

        Raises:
            DataError: a file was changed or removed meanwhile.
        """
        side = image_size or DEFAULT_IMAGE_SIZE
        paths = self.paths_of(self._seen)
        pixels: Pixels = self.cache.get(
            f"{self.state}/pixels-{side}", (len(paths), side, side, 3), np.uint8, lambda: _decode_all(paths, side)
        )
        if isinstance(pixels, np.memmap):
            is_large = pixels.nbytes > self.most_bytes_in_memory
            pixels = StoredPixels(pixels, np.arange(len(pixels))) if is_large else np.array(pixels)
        return ImageSet(self.name, self.source, pixels, self.labels, self.class_names)

    def open_sealed(self) -> SealedPhotographs:
        """Return the test part, for the final evaluation."""
        return SealedPhotographs(self)

    def paths_of(self, known: tuple[Known, ...]) -> tuple[Path, ...]:
        """Return the files of photographs."""
        return tuple(self.root / one.photograph.place for one in known)

    def labels_of(self, known: tuple[Known, ...]) -> Array:
        """Return the class numbers of photographs, shape (n,)."""
        return np.array([self.class_names.index(one.photograph.class_name) for one in known], np.int32)

    @property
    def _seen(self) -> tuple[Known, ...]:
        return self.selection.train + self.selection.validation


@dataclass(frozen=True, eq=False)
class SealedPhotographs:
    """The sealed test part of a folder of photographs; its pixels are never cached."""

    folder: PhotographFolder

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return self.folder.paths_of(self.folder.selection.sealed)

    @property
    def labels(self) -> Array:
        """Class numbers, shape (n,)."""
        return self.folder.labels_of(self.folder.selection.sealed)

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
        pixels = np.concatenate(list(_decode_all(self.paths, side)))
        return ImageSet(self.folder.name, self.folder.source, pixels, self.labels, self.class_names)


def _decode_all(paths: tuple[Path, ...], side: int) -> Iterator[Array]:
    """Yield the pixels of each file in the shape (1, side, side, 3)."""

    def decode_checked(path: Path) -> Array:
        try:
            return decode(path, side, side)[np.newaxis]
        except Exception as error:  # Pillow raises anything; all files were whole when the folder was scanned
            raise DataError(
                f"{printable(path)}: photographs must not be changed or removed while they are used, but this one "
                f"cannot be read any more ({printable(error)}); restore it, and start again"
            ) from error

    return in_threads(decode_checked, paths)


def load_photographs(
    root: Path, *, name: str, cache_folder: Path | None = None, most_bytes_in_memory: int | None = None
) -> PhotographFolder:
    """List a folder of photographs, check every file once, and seal its test part.

    Scan and pixels are kept in ``cache_folder``, by default the user's own. Arrays larger than
    ``most_bytes_in_memory``, by default a quarter of the machine's memory, stay on disk.

    Raises:
        DataError: no known layout, files that are not images, or too few of a class.
    """
    files = find_files(root)
    layout = recognise(files)
    class_names = check_classes(root, layout)
    places = [photograph.place for photograph in layout.photographs]
    cache, state = ArrayCache(cache_folder or cache_dir() / "photographs"), folder_state(root, places)
    scan_key = (f"{state}/scan", (len(places),), SCANNED)
    kept = cache.find(*scan_key)
    scanned = scan(root, places) if kept is None else kept
    known = [Known(*pair) for pair in zip(layout.photographs, scanned["sha256"].astype(str).tolist(), strict=True)]
    selection = select(root, class_names, known)
    cache.get(*scan_key, lambda: [scanned])  # not earlier: a folder that is refused leaves nothing behind
    profile = {
        "n_files": len(known),
        "n_sealed": len(selection.sealed),
        **selection.counts,
        "n_misnamed_files": int(scanned["is_misnamed"].sum()),
        "n_other_files": files.n_others,
    }
    if most_bytes_in_memory is None:
        most_bytes_in_memory = round(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return PhotographFolder(
        name, root, class_names, content_digest(class_names, known), profile, selection, cache, state,
        most_bytes_in_memory,
    )  # fmt: skip
