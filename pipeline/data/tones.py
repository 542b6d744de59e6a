"""Change brightness and contrast of whole batches, and erase squares, with random numbers drawn for each image."""

from __future__ import annotations

from typing import Any

from pipeline.data.uniform import draw_integers, draw_uniform

Tensor = Any


def change_brightness(images: Tensor, seed: Tensor, reach: float, pixel_range: tuple[float, float]) -> Tensor:
    """Multiply each image's distance from black by a factor of 1 - reach to 1 + reach; returns float32.

    ``pixel_range`` is the values of black and white; results are clipped to it.
    """
    import tensorflow as tf

    black, white = pixel_range
    factor = _factors(images, seed + 10, reach)
    return tf.clip_by_value(black + (tf.cast(images, tf.float32) - black) * factor, black, white)


def change_contrast(images: Tensor, seed: Tensor, reach: float) -> Tensor:
    """Multiply each pixel's distance from its channel's mean by a factor of 1 - reach to 1 + reach; returns float32."""
    import tensorflow as tf

    pixels = tf.cast(images, tf.float32)
    mean = tf.reduce_mean(pixels, list(range(1, images.shape.rank)), keepdims=True)
    return (pixels - mean) * _factors(images, seed + 3, reach) + mean


def as_type(pixels: Tensor, dtype: Any) -> Tensor:
    """Return pixels as ``dtype``; for integers they are rounded and clipped to 0..255."""
    import tensorflow as tf

    if pixels.dtype == dtype:
        return pixels
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), dtype)


def erase(images: Tensor, seed: Tensor, input_shape: tuple[int, ...], share: float) -> Tensor:
    """Fill a square, ``share`` of the image's sides wide and placed at random, with the mean of each channel."""
    import tensorflow as tf

    n_images, rank = tf.shape(images)[0], len(input_shape)
    inside = tf.constant(True)
    for axis, side in enumerate(input_shape[:-1]):
        size = max(1, int(side * share))
        start = draw_integers((n_images, 1), seed + 4 + axis, 0, side - size + 1)
        along = tf.range(side)[tf.newaxis]
        hit = (along >= start) & (along < start + size)
        shape = [-1 if place == 0 else side if place == axis + 1 else 1 for place in range(rank + 1)]
        inside = inside & tf.reshape(hit, shape)
    pixels = tf.cast(images, tf.float32)
    mean = tf.cast(tf.reduce_mean(pixels, list(range(1, rank)), keepdims=True), images.dtype)
    return tf.where(inside, mean, images)


def _factors(images: Tensor, seed: Tensor, reach: float) -> Tensor:
    """Draw one factor for each image, in a shape that broadcasts over its pixels."""
    import tensorflow as tf

    shape = tf.concat([tf.shape(images)[:1], tf.ones(images.shape.rank - 1, tf.int32)], 0)
    return draw_uniform(shape, seed, 1 - reach, 1 + reach)
