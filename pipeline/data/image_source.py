"""Sources of training images: labels and digest are known at once, pixels are made at the size a trial asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.pixels import Pixels
from pipeline.errors import DataError

_RESIZED_AT_ONCE = 1000


class ImageSource(Protocol):
    """The training images of a data set, without its sealed test part."""

    @property
    def name(self) -> str:
        """Short name of the data set."""

    @property
    def source(self) -> str:
        """Where it was read."""

    @property
    def labels(self) -> Array:
        """Class numbers, shape (n,): indices into ``class_names``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""

    @property
    def groups(self) -> Array | None:
        """Numbers that byte-identical images share, shape (n,); None where duplicates are not known."""

    @property
    def given_validation(self) -> Array | None:
        """Indices of the images that the data set itself sets apart for validation, or None."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image in its original size; -1 where images differ."""

    @property
    def dtype(self) -> str:
        """Type of the pixels."""

    @property
    def profile(self) -> dict[str, object]:
        """Further facts about the images, by name."""

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that change with any image or label, whatever its size in training."""

    def images_at(self, image_size: int) -> ImageSet:
        """Return all images as squares of ``image_size`` pixels a side; 0: as they are.

        Raises:
            DataError: they are not available at that size.
        """


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images that came as one array."""

    images: ImageSet
    groups: Array | None = None
    given_validation: Array | None = None

    @property
    def name(self) -> str:
        """Short name of the data set."""
        return self.images.name

    @property
    def source(self) -> str:
        """Where it was read."""
        return self.images.source

    @property
    def labels(self) -> Array:
        """Class numbers, shape (n,)."""
        return self.images.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""
        return self.images.class_names

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.images.input_shape

    @property
    def dtype(self) -> str:
        """Type of the pixels."""
        return str(self.images.images.dtype)

    @property
    def profile(self) -> dict[str, object]:
        """Empty: nothing more is known of an array."""
        return {}

    @cached_property
    def digest(self) -> str:
        """Digest of pixels, labels and class names."""
        return self.images.digest()

    def images_at(self, image_size: int) -> ImageSet:
        """Return the images as squares of ``image_size`` pixels a side; 0: as they are."""
        shape = self.images.input_shape
        if image_size == 0 or shape[:-1] == (image_size, image_size):
            return self.images
        if len(shape) != 3:
            raise DataError(f"image_size is for images, got sequences of shape {shape}; set it to 0, or leave it out")
        resized = _resize(self.images.images, image_size)
        return ImageSet(self.name, self.source, resized, self.labels, self.class_names)


def _resize(images: Pixels, side: int) -> Array:
    import tensorflow as tf

    out = np.empty((len(images), side, side, images.shape[-1]), images.dtype)
    for start in range(0, len(images), _RESIZED_AT_ONCE):
        part: Any = tf.image.resize(images[start : start + _RESIZED_AT_ONCE], (side, side), antialias=True).numpy()
        out[start : start + _RESIZED_AT_ONCE] = np.rint(part).clip(0, 255) if images.dtype == np.uint8 else part
    return out
