"""Random changes to whole batches of training images, as stateless TensorFlow functions.

They run in the input pipeline, so that the network that is saved holds none of them. Sequences of (length, channels)
take shifts, contrast and erasing along their one axis, and no flips: a sequence read backwards is another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Tensor = Any
Augment = Callable[[Tensor, Tensor], Tensor]

_ERASED_SHARE = 4  # an erased square has a quarter of the image's side
_CONTRAST = 0.2


def make_augmentation(kind: str, input_shape: tuple[int, ...]) -> Augment | None:
    """Return ``augment(images, seed)`` for a kind of the knob ``augmentation``, or None for ``none``.

    Images have the shape (n, ..., channels) and keep their type; ``seed`` is two integers, one pair a batch.
    Shifts go up to a 16th of the side (2 pixels of 32), with heavy up to an 8th, and repeat the edge.
    """
    if kind == "none":
        return None
    is_heavy = kind == "heavy"
    flips = kind in ("flips_and_shifts", "heavy") and len(input_shape) == 3

    def augment(images: Tensor, seed: Tensor) -> Tensor:
        images = _shift(images, seed, input_shape, part=8 if is_heavy else 16)
        if flips:
            images = _flip(images, seed)
        if is_heavy:
            images = _erase(_change_contrast(images, seed), seed, input_shape)
        return images

    return augment


def _shift(images: Tensor, seed: Tensor, input_shape: tuple[int, ...], part: int) -> Tensor:
    import tensorflow as tf

    n_images = tf.shape(images)[0]
    for axis, side in enumerate(input_shape[:-1]):
        reach = max(1, side // part)
        moves = tf.random.stateless_uniform((n_images, 1), seed + axis, -reach, reach + 1, tf.int32)
        indices = tf.clip_by_value(tf.range(side)[tf.newaxis] + moves, 0, side - 1)
        if axis == 0:
            images = tf.gather(images, indices, axis=1, batch_dims=1)
        else:
            images = tf.transpose(images, (0, 2, 1, 3))
            images = tf.transpose(tf.gather(images, indices, axis=1, batch_dims=1), (0, 2, 1, 3))
    return images


def _flip(images: Tensor, seed: Tensor) -> Tensor:
    import tensorflow as tf

    heads = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed + 2) < 0.5
    return tf.where(heads, images[:, :, ::-1], images)


def _change_contrast(images: Tensor, seed: Tensor) -> Tensor:
    import tensorflow as tf

    spatial = list(range(1, images.shape.rank))
    pixels = tf.cast(images, tf.float32)
    ones = tf.ones_like(spatial)
    shape = tf.concat([tf.shape(images)[:1], ones], 0)
    factor = tf.random.stateless_uniform(shape, seed + 3, 1 - _CONTRAST, 1 + _CONTRAST)
    mean = tf.reduce_mean(pixels, spatial, keepdims=True)
    changed = (pixels - mean) * factor + mean
    if images.dtype == tf.uint8:
        return tf.cast(tf.clip_by_value(tf.round(changed), 0, 255), tf.uint8)
    return tf.cast(changed, images.dtype)


def _erase(images: Tensor, seed: Tensor, input_shape: tuple[int, ...]) -> Tensor:
    import tensorflow as tf

    n_images, rank = tf.shape(images)[0], len(input_shape)
    inside = tf.constant(True)
    for axis, side in enumerate(input_shape[:-1]):
        size = max(1, side // _ERASED_SHARE)
        start = tf.random.stateless_uniform((n_images, 1), seed + 4 + axis, 0, side - size + 1, tf.int32)
        along = tf.range(side)[tf.newaxis]
        hit = (along >= start) & (along < start + size)
        shape = [-1 if place == 0 else side if place == axis + 1 else 1 for place in range(rank + 1)]
        inside = inside & tf.reshape(hit, shape)
    pixels = tf.cast(images, tf.float32)
    mean = tf.cast(tf.reduce_mean(pixels, list(range(1, rank)), keepdims=True), images.dtype)
    return tf.where(inside, mean, images)
