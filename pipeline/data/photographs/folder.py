"""A folder of photographs as a source of training images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.data.cache import ArrayCache
from pipeline.data.document_split import split_photographs
from pipeline.data.image_set import Array, ImageSet
from pipeline.data.image_source import ImageSource
from pipeline.data.photographs.decoding import decode, in_threads
from pipeline.data.photographs.files import find_files
from pipeline.data.photographs.layout import Photograph, recognise
from pipeline.data.photographs.scan import SCANNED, folder_state, scan
from pipeline.data.photographs.selection import content_digest, select
from pipeline.data.photographs.wording import printable
from pipeline.data.pixels import Pixels, StoredPixels
from pipeline.errors import DataError
from pipeline.paths import cache_dir

DEFAULT_IMAGE_SIZE = 96
_MEMORY_SHARE = 0.25  # of the machine's memory: larger arrays stay on disk


def load_photographs(
    root: Path, *, name: str, cache: ArrayCache | None = None, most_bytes_in_memory: int | None = None,
    as_documents: bool = False,
) -> ImageSource:  # fmt: skip
    """List a folder of photographs, check every file once, and seal its test part.

    ``cache``, by default the user's own, keeps ``<state>/scan`` and, for each size, ``<state>/pixels-<side>``, where
    ``state`` is that of the folder's files; pixels of the test part are never kept. Arrays larger than
    ``most_bytes_in_memory``, by default a quarter of the machine's memory, stay on disk. ``as_documents`` says that
    :func:`split_photographs` splits them, and nothing is sealed but a test folder.

    Raises:
        DataError: no known layout, files that are not images, or too few of a class.
    """
    cache = cache or ArrayCache(cache_dir() / "photographs")
    files = find_files(root)
    listed, class_names = recognise(files)
    places = [one.place for one in listed]
    state = folder_state(root, places)
    scan_key = (f"{state}/scan", (len(places),), SCANNED)
    kept = cache.find(*scan_key)
    scanned = scan(root, places) if kept is None else kept
    digests = scanned["sha256"].astype(str).tolist()
    photographs = [replace(one, sha256=sha256) for one, sha256 in zip(listed, digests, strict=True)]
    rule: str | None = None
    counts: Mapping[str, object] = {}
    if as_documents:
        selection, rule = split_photographs(photographs)
        photographs = [one for part in selection.values() for one in part]
    else:
        selection, counts = select(root, class_names, photographs)
    cache.get(*scan_key, lambda: [scanned])  # not earlier: a folder that is refused leaves nothing behind
    make_source = partial(_make_source, root, name, class_names)
    seen, sealed, n_train = selection["train"] + selection["validation"], selection["test"], len(selection["train"])
    read = partial(_read_kept, cache, f"{state}/{rule or 'pixels'}", most_bytes_in_memory)
    profile = {
        "n_files": len(photographs), "n_sealed": len(sealed), **counts,
        "n_misnamed_files": int(scanned["is_misnamed"].sum()), "n_other_files": files.n_others,
    }  # fmt: skip
    return replace(
        make_source(seen, digest=content_digest(class_names, photographs), read=read),
        groups=np.unique([one.sha256 for one in seen], return_inverse=True)[1],
        given_validation=np.arange(n_train, len(seen)) if len(seen) > n_train else None,
        document_split=rule,
        profile=profile,
        open_sealed=lambda: make_source(sealed, digest=_order_digest(class_names, sealed), read=_read_anew),
    )


def _make_source(
    root: Path,
    name: str,
    class_names: tuple[str, ...],
    photographs: Sequence[Photograph],
    *,
    digest: str,
    read: Callable[[Sequence[Path], int], Pixels],
) -> ImageSource:
    """Return photographs of any size as a source of squares, of 96 pixels a side where no size is asked for.

    ``read(paths, side)`` returns their pixels; it raises DataError where a file was changed or removed meanwhile.
    """
    paths = [root / one.place for one in photographs]
    labels = np.array([class_names.index(one.class_name) for one in photographs], np.int32)

    def images_at(image_size: int) -> ImageSet:
        return ImageSet(name, str(root), read(paths, image_size or DEFAULT_IMAGE_SIZE), labels, class_names)

    return ImageSource(
        name=name, source=str(root), labels=labels, class_names=class_names, input_shape=(-1, -1, 3), dtype="uint8",
        digest=digest, images_at=images_at,
    )  # fmt: skip


def _order_digest(class_names: tuple[str, ...], photographs: Sequence[Photograph]) -> str:
    """Return 32 hexadecimal digits that change with any file, its class or its place among the others."""
    labels = [class_names.index(one.class_name) for one in photographs]
    state = hashlib.sha256(repr((class_names, labels)).encode())
    for one in photographs:
        state.update(one.sha256.encode())
    return state.hexdigest()[:32]


def _read_kept(
    cache: ArrayCache, place: str, most_bytes_in_memory: int | None, paths: Sequence[Path], side: int
) -> Pixels:
    shape = (len(paths), side, side, 3)
    pixels = cache.get(f"{place}-{side}", shape, np.uint8, lambda: _decode_all(paths, side))
    if not isinstance(pixels, np.memmap):
        return pixels
    if most_bytes_in_memory is None:
        most_bytes_in_memory = round(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    is_large = pixels.nbytes > most_bytes_in_memory
    return StoredPixels(pixels, np.arange(len(pixels))) if is_large else np.array(pixels)


def _read_anew(paths: Sequence[Path], side: int) -> Pixels:
    return np.concatenate(list(_decode_all(paths, side)))


def _decode_all(paths: Sequence[Path], side: int) -> Iterator[Array]:
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
