"""Sources of images: labels and digest are known at once, pixels are made at the size a trial asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.pixels import Pixels
from pipeline.errors import DataError

_RESIZED_AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class ImageSource:
    """The images of one part of a data set, in training without its sealed test part.

    ``labels`` has the shape (n,); ``input_shape`` is that of one image in its original size, -1 where images differ;
    ``digest`` has 32 hexadecimal digits that change with any image or label, whatever its size in training.
    ``images_at(image_size)`` returns all images as squares of that many pixels a side, or as they are for 0; it raises
    DataError where they are not available at that size.

    ``groups`` are numbers that byte-identical images share, shape (n,); None where duplicates are not known.
    ``given_validation`` has the indices of the images that the data set itself sets apart for validation, or that a
    document did by its rule, ``document_split``. ``profile`` has further facts by name. ``open_sealed`` returns the
    test part where it was found with the training images; only :mod:`pipeline.data.sealed` calls it.
    """

    name: str
    source: str
    labels: Array
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    dtype: str
    digest: str
    images_at: Callable[[int], ImageSet]
    groups: Array | None = None
    given_validation: Array | None = None
    document_split: str | None = None
    profile: Mapping[str, object] = field(default_factory=dict)
    open_sealed: Callable[[], ImageSource] | None = None


def make_array_source(images: ImageSet) -> ImageSource:
    """Return images that came as one array as a source."""

    def images_at(image_size: int) -> ImageSet:
        shape = images.input_shape
        if image_size == 0 or shape[:-1] == (image_size, image_size):
            return images
        if len(shape) != 3:
            raise DataError(f"image_size is for images, got sequences of shape {shape}; set it to 0, or leave it out")
        return replace(images, images=_resize(images.images, image_size))

    return ImageSource(
        name=images.name, source=images.source, labels=images.labels, class_names=images.class_names,
        input_shape=images.input_shape, dtype=str(images.images.dtype), digest=images.digest(), images_at=images_at,
    )  # fmt: skip


def _resize(images: Pixels, side: int) -> Array:
    import tensorflow as tf

    out = np.empty((len(images), side, side, images.shape[-1]), images.dtype)
    for start in range(0, len(images), _RESIZED_AT_ONCE):
        part: Any = tf.image.resize(images[start : start + _RESIZED_AT_ONCE], (side, side), antialias=True).numpy()
        out[start : start + _RESIZED_AT_ONCE] = np.rint(part).clip(0, 255) if images.dtype == np.uint8 else part
    return out
