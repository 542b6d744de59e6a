"""Batches for Keras, gathered from arrays in memory; every pass shuffles anew, and a seed repeats all of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.data.augmentation import Augmentation, make_augment
from pipeline.data.image_set import Array, ImageSet
from pipeline.data.scaling import pixel_range


def training_batches(
    images: ImageSet,
    *,
    n_outputs: int,
    batch_size: int,
    augmentation: Augmentation,
    label_smoothing: float,
    class_weights: bool,
    seed: int,
) -> Any:
    """Return a ``tf.data.Dataset`` of (images, smoothed targets), in full batches where there is one.

    Targets are one-hot labels of shape (n, classes), or with one output the second class's column, (n, 1). They are
    smoothed here and not in the loss, so that the validation loss stays plain cross-entropy. With ``class_weights``
    each image's weight follows as a third part.
    """
    import tensorflow as tf

    pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    n_images, n_classes = len(images.labels), len(images.class_names)
    weights = tf.constant(balanced_weights(images)) if class_weights else None
    augment = make_augment(
        augmentation, input_shape=images.input_shape, pixel_range=pixel_range(images.images)
    )  # fmt: skip

    def gather(indices: Any, batch_seed: Any) -> Any:
        batch, classes = tf.gather(pixels, indices), tf.gather(labels, indices)
        targets = tf.one_hot(classes, n_classes) * (1 - label_smoothing) + label_smoothing / n_classes
        batch = augment(batch, tf.cast(batch_seed, tf.int32)) if augment else batch
        parts = (batch, targets[:, -n_outputs:])
        return parts if weights is None else (*parts, tf.gather(weights, classes))

    indices = tf.data.Dataset.range(n_images).shuffle(n_images, seed=seed, reshuffle_each_iteration=True)
    indices = indices.batch(batch_size, drop_remainder=n_images >= batch_size)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(indices, seeds).map(gather, num_parallel_calls=2, deterministic=True)
    return batches.apply(tf.data.experimental.assert_cardinality(steps_per_epoch(n_images, batch_size))).prefetch(2)


def balanced_weights(images: ImageSet) -> Array:
    """Return each class's weight, images / (classes * images of the class), as scikit-learn's ``balanced`` does."""
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    weights: Array = (len(images.labels) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    return weights


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return the training steps of an epoch: the full batches, or one batch that is not full."""
    return max(1, n_images // batch_size)


def validation_batches(images: ImageSet, *, n_outputs: int, batch_size: int = 500) -> Any:
    """Return a ``tf.data.Dataset`` of (images, targets) in the images' order; targets as for training, but plain."""
    import tensorflow as tf

    n_classes = len(images.class_names)
    batches = tf.data.Dataset.from_tensor_slices((images.images, images.labels)).batch(batch_size)
    return batches.map(lambda pixels, labels: (pixels, tf.one_hot(labels, n_classes)[:, -n_outputs:])).prefetch(2)
