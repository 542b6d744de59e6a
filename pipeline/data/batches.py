"""Batches for Keras, gathered from arrays in memory; every pass shuffles anew, and a seed repeats all of it."""

from __future__ import annotations

from typing import Any

from pipeline.data.augmentation import make_augmentation
from pipeline.data.image_set import ImageSet


def training_batches(images: ImageSet, *, batch_size: int, augmentation: str, label_smoothing: float, seed: int) -> Any:
    """Return a ``tf.data.Dataset`` of (images, smoothed one-hot labels), in full batches where there is one.

    Labels are smoothed here and not in the loss, so that the validation loss stays plain cross-entropy.
    """
    import tensorflow as tf

    pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    n_images, n_classes = len(images.labels), len(images.class_names)
    augment = make_augmentation(augmentation, images.input_shape)

    def gather(indices: Any, batch_seed: Any) -> Any:
        batch = tf.gather(pixels, indices)
        targets = tf.one_hot(tf.gather(labels, indices), n_classes)
        targets = targets * (1 - label_smoothing) + label_smoothing / n_classes
        return (augment(batch, tf.cast(batch_seed, tf.int32)) if augment else batch), targets

    indices = tf.data.Dataset.range(n_images).shuffle(n_images, seed=seed, reshuffle_each_iteration=True)
    indices = indices.batch(batch_size, drop_remainder=n_images >= batch_size)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(indices, seeds).map(gather, num_parallel_calls=2, deterministic=True)
    return batches.apply(tf.data.experimental.assert_cardinality(steps_per_epoch(n_images, batch_size))).prefetch(2)


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return the training steps of an epoch: the full batches, or one batch that is not full."""
    return max(1, n_images // batch_size)


def validation_batches(images: ImageSet, *, batch_size: int = 500) -> Any:
    """Return a ``tf.data.Dataset`` of (images, one-hot labels) in the images' order."""
    import tensorflow as tf

    n_classes = len(images.class_names)
    batches = tf.data.Dataset.from_tensor_slices((images.images, images.labels)).batch(batch_size)
    return batches.map(lambda pixels, labels: (pixels, tf.one_hot(labels, n_classes))).prefetch(2)
