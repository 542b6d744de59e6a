"""Read one part of an ``.npz``; of the arrays of the other part only the headers are read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from pipeline.data.image_set import Array, ImageSet, Part, make_image_set
from pipeline.errors import DataError

_NEEDED = ("x_train", "y_train", "x_test", "y_test")
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, MemoryError)


def read_npz(path: Path, *, part: Part, name: str, class_names: tuple[str, ...] | None = None) -> ImageSet:
    """Read images and labels of one ``part``, and ``class_names`` where the file has them.

    Raises:
        DataError: not a readable npz, an array is missing, pickled or of a wrong shape, or the images break a rule.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_headers(archive, path)
            images, labels = _read(archive, f"x_{part}", path), _read(archive, f"y_{part}", path)
            if "class_names.npy" in archive.namelist():
                class_names = _class_names(archive, path)
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable .npz ({error}); write it again with numpy.savez") from error
    return make_image_set(
        name=name, source=str(path), images=images, labels=labels, class_names=class_names, part=part
    )  # fmt: skip


def _check_headers(archive: zipfile.ZipFile, path: Path) -> None:
    missing = [key for key in _NEEDED if f"{key}.npy" not in archive.namelist()]
    if missing:
        raise DataError(
            f"{path}: an .npz must hold x_train, y_train, x_test and y_test, lacks {', '.join(missing)}; add them"
        )
    shapes = {key: _shape(archive, key, path) for key in _NEEDED}
    if shapes["y_test"][:1] != shapes["x_test"][:1]:
        raise DataError(
            f"{path}: y_test must have one label per image of x_test, got {shapes['y_test']} for {shapes['x_test']}; "
            "align them"
        )
    if shapes["x_test"][1:] != shapes["x_train"][1:]:
        raise DataError(
            f"{path}: x_train and x_test must hold images of one shape, got {shapes['x_train'][1:]} and "
            f"{shapes['x_test'][1:]}; resize one of them"
        )


def _class_names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    names = _read(archive, "class_names", path)
    if names.ndim != 1 or len(np.unique(names)) < len(names):
        raise DataError(
            f"{path}: class_names must be a list of different names, got the shape {names.shape} with "
            f"{len(np.unique(names))} different names; correct it"
        )
    return tuple(names.astype(str).tolist())


def _shape(archive: zipfile.ZipFile, key: str, path: Path) -> tuple[int, ...]:
    with archive.open(f"{key}.npy") as member:
        shape, _, dtype = _header(member)
    if dtype.hasobject:
        raise DataError(f"{path}: {key} must be a plain array, got pickled objects; save it as numbers")
    return shape


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(member)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    header: tuple[tuple[int, ...], bool, np.dtype[np.generic]] = reader(member)
    return header


def _read(archive: zipfile.ZipFile, key: str, path: Path) -> Array:
    with archive.open(f"{key}.npy") as member:
        try:
            array: Array = npy.read_array(member, allow_pickle=False)
        except ValueError as error:
            raise DataError(f"{path}: {key} must be a plain array ({error}); save it as numbers or text") from error
    return array
