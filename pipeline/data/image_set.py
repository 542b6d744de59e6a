"""Images with labels, checked when they are loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.data.labels import check_known, class_numbers
from pipeline.data.pixels import Pixels, in_parts, take
from pipeline.errors import DataError

Array = npt.NDArray[Any]

Part = Literal["train", "test"]

MIN_IMAGES_PER_CLASS = 2  # one for training, one for validation


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their labels.

    ``images`` has the shape (n, height, width, channels), or (n, length, channels) for sequences, as uint8 or
    float32, in memory or on disk; ``labels`` the shape (n,) as int32, indices into ``class_names``.
    """

    name: str
    source: str
    images: Pixels
    labels: Array
    class_names: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return tuple(self.images.shape[1:])

    def digest(self) -> str:
        """Return 32 hexadecimal digits (of SHA-256) that change with any pixel, label, shape or type."""
        state = hashlib.sha256(f"{self.images.shape}{self.images.dtype}{self.class_names}".encode())
        for part in in_parts(self.images):
            state.update(np.ascontiguousarray(part).view(np.uint8).data)
        state.update(np.ascontiguousarray(self.labels).data)
        return state.hexdigest()[:32]

    def subset(self, indices: Array) -> ImageSet:
        """Return the images at ``indices``; those on disk stay there."""
        return replace(self, images=take(self.images, indices), labels=self.labels[indices])


def make_image_set(
    *,
    name: str,
    source: str,
    images: Array,
    labels: Array,
    class_names: tuple[str, ...] | None = None,
    part: Part = "train",
) -> ImageSet:
    """Check raw arrays and convert them to the shapes of :class:`ImageSet`.

    ``part`` is the part of the data set that they are; every class must have images in the training part.

    Images of 2 axes get a channel axis. Arrays of 3 axes are sequences of (length, channels) where a sample is at
    least 8 times longer than wide, and grey images otherwise. One-hot labels become integers.

    Raises:
        DataError: wrong shapes or types, NaN pixels, labels outside the classes, a class without enough images.
    """
    images = _check_images(source, images, part)
    labels = class_numbers(source, f"y_{part}", labels, n_images=len(images))
    names = class_names or _numbered(source, labels)
    check_known(source, f"y_{part}", labels, names)
    if part == "train":
        _check_numbers(source, labels, names)
    return ImageSet(name, source, images, labels.astype(np.int32), names)


def _check_images(source: str, images: Array, part: Part) -> Array:
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(
            f"{source}: x_{part} must have the shape (n, height, width), (n, height, width, channels) or "
            f"(n, length, channels), got {images.shape}; reshape it"
        )
    check_pixel_type(source, f"x_{part}", images.dtype)
    if images.dtype != np.uint8:
        images = _narrow(images)
    if images.dtype == np.float32 and not np.isfinite(images).all():
        raise DataError(
            f"{source}: x_{part} must hold finite pixels, got NaN or infinity; correct or remove those images"
        )
    is_sequence = images.ndim == 3 and images.shape[1] >= 8 * images.shape[2]
    return images if images.ndim == 4 or is_sequence else images[..., np.newaxis]


def check_pixel_type(source: str, name: str, dtype: np.dtype[Any]) -> None:
    """Check the type of the images called ``name``.

    Raises:
        DataError: they are no real numbers.
    """
    if dtype.kind not in "buif":
        raise DataError(f"{source}: {name} must hold numbers, got {dtype}; convert it to uint8 or float32")


def _narrow(images: Array) -> Array:
    whole = images.dtype.kind in "bui" and images.min() >= 0 and images.max() <= 255
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        return images.astype(np.uint8 if whole else np.float32)


def _numbered(source: str, labels: Array) -> tuple[str, ...]:
    """Return the numbers of the classes as their names."""
    if labels.max() >= len(labels):
        raise DataError(
            f"{source}: labels must number the classes without gaps, got {labels.max()} with {len(labels)} images; "
            "number the classes from 0"
        )
    return tuple(str(number) for number in range(int(labels.max()) + 1))


def _check_numbers(source: str, labels: Array, class_names: tuple[str, ...]) -> None:
    n_classes = len(class_names)
    if n_classes < 2:
        raise DataError(f"{source}: at least 2 classes are needed, got {n_classes}; add images of another class")
    counts = np.bincount(labels, minlength=n_classes)
    rare = [f"{class_names[i]} ({counts[i]})" for i in np.flatnonzero(counts < MIN_IMAGES_PER_CLASS)[:5]]
    if rare:
        raise DataError(
            f"{source}: every class must have at least {MIN_IMAGES_PER_CLASS} training images, got too few of "
            f"{', '.join(rare)}; add images, or number the classes without gaps"
        )
