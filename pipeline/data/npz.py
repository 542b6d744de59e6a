"""Read one part of an ``.npz``.

Of test images nothing but the header is read with the training part; their labels are checked, and not kept, so that a
search does not end with images that it cannot be judged by.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from pipeline.data.image_set import Array, ImageSet, Part, check_pixel_type, make_image_set
from pipeline.data.labels import check_known, class_numbers
from pipeline.errors import DataError, first_line, way_to_read

_NEEDED = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path, *, part: Part, name: str, class_names: tuple[str, ...] | None = None) -> ImageSet:
    """Read images and labels of one ``part``, and ``class_names`` where the file has them.

    Raises:
        DataError: not a readable npz, an array is missing, pickled or of a wrong shape, the images break a rule, or
            the labels of either part do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_headers(archive, path)
            images, labels, test_labels = (_read(archive, key, path) for key in (f"x_{part}", f"y_{part}", "y_test"))
            if "class_names.npy" in archive.namelist():
                class_names = _class_names(archive, path)
    except DataError:
        raise
    except Exception as error:  # damaged archives raise anything, from OSError to tokenize.TokenError
        reason, fix = first_line(error), way_to_read(error, otherwise="write it again with numpy.savez")
        raise DataError(f"{path}: not a readable .npz ({reason}); {fix}") from error
    made = make_image_set(
        name=name, source=str(path), images=images, labels=labels, class_names=class_names, part=part
    )  # fmt: skip
    _check_test_labels(test_labels, made)
    return made


def _check_test_labels(labels: Array, images: ImageSet) -> None:
    numbers = class_numbers(images.source, "y_test", labels, n_images=len(labels))
    check_known(images.source, "y_test", numbers, images.class_names)


def _check_headers(archive: zipfile.ZipFile, path: Path) -> None:
    missing = [key for key in _NEEDED if f"{key}.npy" not in archive.namelist()]
    if missing:
        raise DataError(
            f"{path}: an .npz must hold x_train, y_train, x_test and y_test, lacks {', '.join(missing)}; add them"
        )
    headers = {key: _header_of(archive, key, path) for key in _NEEDED}
    shapes = {key: shape for key, (shape, _) in headers.items()}
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
    if shapes["x_test"][:1] == (0,):
        raise DataError(f"{path}: x_test must hold at least one image, got the shape {shapes['x_test']}; add images")
    for key in ("x_train", "x_test"):
        check_pixel_type(str(path), key, headers[key][1])


def _class_names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    names = _read(archive, "class_names", path)
    if names.ndim != 1 or len(np.unique(names)) < len(names):
        raise DataError(
            f"{path}: class_names must be a list of different names, got the shape {names.shape} with "
            f"{len(np.unique(names))} different names; correct it"
        )
    return tuple(names.astype(str).tolist())


def _header_of(archive: zipfile.ZipFile, key: str, path: Path) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    with archive.open(f"{key}.npy") as member:
        shape, _, dtype = _header(member)
    if dtype.hasobject:
        raise DataError(f"{path}: {key} must be a plain array, got pickled objects; save it as numbers")
    return shape, dtype


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
