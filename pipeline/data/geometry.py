"""Shift, mirror, rotate, shear and zoom whole batches of images, with random numbers drawn for each image."""

from __future__ import annotations

import math
from typing import Any

from pipeline.data.uniform import draw_integers, draw_uniform

Tensor = Any


def rearrange(
    images: Tensor, seed: Tensor, input_shape: tuple[int, ...], *, reaches: tuple[int, ...], flips: bool
) -> Tensor:
    """Shift images by up to ``reaches`` whole pixels along each axis, in either direction, and mirror half of them.

    The edge is repeated. Mirrored columns are gathered with the shifted ones, so that no image is computed twice.
    """
    import tensorflow as tf

    n_images = tf.shape(images)[0]
    for axis, (side, reach) in enumerate(zip(input_shape, reaches, strict=False)):
        indices = tf.range(side)[tf.newaxis]
        if flips and axis == 1:
            indices = tf.where(_is_mirrored(n_images, seed)[:, tf.newaxis], side - 1 - indices, indices)
        if reach:
            moves = draw_integers((n_images, 1), seed + axis, -reach, reach + 1)
            indices = tf.clip_by_value(indices + moves, 0, side - 1)
        if reach and axis == 0:
            images = tf.gather(images, indices, axis=1, batch_dims=1)
        elif reach or (flips and axis == 1):
            images = tf.transpose(images, (0, 2, 1, 3))
            images = tf.transpose(tf.gather(images, indices, axis=1, batch_dims=1), (0, 2, 1, 3))
    return images


def resample(
    images: Tensor,
    seed: Tensor,
    input_shape: tuple[int, ...],
    *,
    reaches: tuple[int, ...],
    flips: bool,
    zoom: float,
    rotation_degrees: float,
    shear_degrees: float,
) -> Tensor:
    """Zoom, shear, rotate, shift and mirror images in one step, bilinearly, with the edge repeated; returns float32.

    The changes are those of Keras's ``ImageDataGenerator``, except that the shift comes last, so that the zoom does not
    scale it. Sequences are treated as images of one column, without rotation, shear or mirroring.
    """
    import tensorflow as tf

    is_image = len(input_shape) == 3
    height, width = input_shape[:2] if is_image else (input_shape[0], 1)
    n_images = tf.shape(images)[0]

    def draw(offset: int, reach: float) -> Tensor:
        return draw_uniform((n_images,), seed + offset, -reach, reach)

    sides = tf.where(_is_mirrored(n_images, seed), -1.0, 1.0) if flips else 1.0
    pixels = tf.reshape(tf.cast(images, tf.float32), (-1, height, width, input_shape[-1]))
    moved = tf.raw_ops.ImageProjectiveTransformV3(  # in one pass, where gathering the four neighbours takes four
        images=pixels,
        transforms=_transforms(
            centre=((height - 1) / 2, (width - 1) / 2),
            moves=(draw(0, reaches[0]), draw(1, reaches[1] if is_image else 0)),
            zooms=(1 + draw(6, zoom), (1 + draw(7, zoom)) * sides),
            angle=draw(8, math.radians(rotation_degrees) if is_image else 0),
            shear=draw(9, math.radians(shear_degrees) if is_image else 0),
        ),
        output_shape=(height, width), fill_value=0.0, interpolation="BILINEAR", fill_mode="NEAREST",
    )  # fmt: skip
    return tf.reshape(moved, (-1, *input_shape))


def _transforms(
    *,
    centre: tuple[float, float],
    moves: tuple[Tensor, Tensor],
    zooms: tuple[Tensor, Tensor],
    angle: Tensor,
    shear: Tensor,
) -> Tensor:
    """Return the rows (n, 8) that map each output pixel (column, row, 1) to its position in the input.

    For (column, row) relative to the centre the input is rotation @ shear @ zoom @ (output - move), with the matrices
    of ``ImageDataGenerator``: [[cos a, -sin a], [sin a, cos a]], [[1, -sin s], [0, cos s]] and a diagonal one. The
    first of ``centre``, ``moves`` and ``zooms`` is for rows; a negative zoom mirrors.
    """
    import tensorflow as tf

    column_by_column, column_by_row = tf.cos(angle) * zooms[1], -tf.sin(angle + shear) * zooms[0]
    row_by_column, row_by_row = tf.sin(angle) * zooms[1], tf.cos(angle + shear) * zooms[0]
    row, column = centre[0] + moves[0], centre[1] + moves[1]
    row_offset = centre[0] - row_by_row * row - row_by_column * column
    column_offset = centre[1] - column_by_row * row - column_by_column * column
    zero = tf.zeros_like(angle)
    return tf.stack(
        [column_by_column, column_by_row, column_offset, row_by_column, row_by_row, row_offset, zero, zero], axis=1
    )


def _is_mirrored(n_images: Tensor, seed: Tensor) -> Tensor:
    """Draw for each image whether it is mirrored, with probability 1/2."""
    return draw_uniform((n_images,), seed + 2) < 0.5
