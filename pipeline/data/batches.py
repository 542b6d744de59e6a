"""Batches for Keras; order and augmentation of an epoch follow from seed and number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline.data.augmentation import Augmentation
from pipeline.data.flips import AlternatingFlips, make_alternating_flips
from pipeline.data.image_set import Array, ImageSet
from pipeline.data.loader import make_loader

_LEAST_AT_ONCE, _MOST_AT_ONCE = 16, 500
_POSITIONS_AT_ONCE = 2**20  # each has the numbers of all filters of a layer


def training_batches(
    images: ImageSet,
    *,
    n_outputs: int,
    batch_size: int,
    augmentation: Augmentation,
    label_smoothing: float,
    class_weights: bool,
    seed: int,
    epoch: Any,
    loads: bool = True,
    n_steps: int | None = None,
) -> Any:
    """Return a ``tf.data.Dataset`` of (images, smoothed targets), in full batches where there is one.

    A pass has ``n_steps``, by default as many as go once over the images; with more it goes over them again.
    Each pass shuffles and augments by ``seed`` and by the number in the variable ``epoch`` as it begins, and by nothing
    else: an epoch is the same whether or not those before it were run.
    Targets are one-hot labels of shape (n, classes), or with one output the second class's column, (n, 1). They are
    smoothed here and not in the loss, so that the validation loss stays plain cross-entropy. With ``class_weights``
    each image's weight follows as a third part. Batches that do not ``load`` have in the place of the images what a
    loader makes them of: (indices, two seeds), and where flips alternate which images are mirrored.
    """
    import tensorflow as tf

    n_images, n_classes = len(images.labels), len(images.class_names)
    loader = make_loader(images, augmentation) if loads else None
    with tf.device("CPU"):
        labels = tf.constant(images.labels)
        weights = tf.constant(balanced_weights(images)) if class_weights else None

    def gather(indices: Any, *drawn: Any) -> Any:
        classes = tf.gather(labels, indices)
        targets = tf.one_hot(classes, n_classes) * (1 - label_smoothing) + label_smoothing / n_classes
        batch = loader(indices, *drawn) if loader else (indices, *drawn)
        parts = batch, targets[:, -n_outputs:]
        return parts if weights is None else (*parts, tf.gather(weights, classes))

    n_steps = n_steps or steps_per_epoch(n_images, batch_size)
    flips = make_alternating_flips(n_images, seed) if augmentation.alternates(images.input_shape) else None
    steps = _steps(n_images, (n_steps, min(batch_size, n_images)), seed=seed, epoch=epoch, flips=flips)
    batches = steps.map(gather, num_parallel_calls=2, deterministic=True)
    return _untuned(batches.apply(tf.data.experimental.assert_cardinality(n_steps)).prefetch(2))


def epoch_variable(number: int = 1) -> Any:
    """Return a variable with the number of the epoch that batches are of."""
    import tensorflow as tf

    with tf.device("CPU"):  # where the batches are made
        return tf.Variable(number, dtype=tf.int64, trainable=False)


def _steps(n_images: int, shape: tuple[int, int], *, seed: int, epoch: Any, flips: AlternatingFlips | None) -> Any:
    """Return a dataset of an epoch's steps: the indices of a batch, and two numbers for its augmentation.

    ``shape`` is (steps, images a batch); images that fill no batch are left out. With ``flips`` a third part says which
    images are mirrored.
    """
    import tensorflow as tf

    n_steps, batch_size = shape
    n_passes = math.ceil(n_steps * batch_size / n_images)

    def shuffled(seed: Any) -> Any:
        return tf.random.experimental.stateless_shuffle(tf.range(n_images), seed)

    def draw(_: Any) -> Any:
        order_seed, batch_seed = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), epoch]), 2))
        order = shuffled(order_seed)
        for number in range(1, n_passes):
            order = tf.concat([order, shuffled(tf.random.fold_in(order_seed, number))], 0)
        seeds = tf.random.stateless_uniform((n_steps, 2), batch_seed, None, None, tf.int32)
        indices = tf.reshape(order[: n_steps * batch_size], shape)
        parts = (indices, seeds) if flips is None else (indices, seeds, flips(indices, epoch))
        return tf.data.Dataset.from_tensor_slices(parts)

    return tf.data.Dataset.range(1).flat_map(draw)


def balanced_weights(images: ImageSet) -> Array:
    """Return each class's weight, images / (classes * images of the class), as scikit-learn's ``balanced`` does."""
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    weights: Array = (len(images.labels) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    return weights


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return the training steps of an epoch: the full batches, or one batch that is not full."""
    return max(1, n_images // batch_size)


def images_at_once(input_shape: tuple[int, ...]) -> int:
    """Return how many images a network takes at once without training: 500, less of large ones, to save memory."""
    return max(_LEAST_AT_ONCE, min(_MOST_AT_ONCE, _POSITIONS_AT_ONCE // math.prod(input_shape[:-1])))


def validation_batches(images: ImageSet, *, n_outputs: int, batch_size: int | None = None, loads: bool = True) -> Any:
    """Return a ``tf.data.Dataset`` of (images, targets) in the images' order; targets as for training, but plain.

    Batches that do not ``load`` have in the place of the images what a loader makes them of: (indices,).
    """
    import tensorflow as tf

    loader = make_loader(images) if loads else None
    with tf.device("CPU"):
        labels = tf.constant(images.labels)
    n_classes = len(images.class_names)
    indices = tf.data.Dataset.range(len(images.labels)).batch(batch_size or images_at_once(images.input_shape))

    def gather(indices: Any) -> Any:
        targets = tf.one_hot(tf.gather(labels, indices), n_classes)[:, -n_outputs:]
        return loader(indices) if loader else (indices,), targets

    return _untuned(indices.map(gather).prefetch(2))


def _untuned(batches: Any) -> Any:
    """Return the dataset without the thread that tunes it, which has nothing to tune here.

    To delete an iterator is to wait for that thread, which on a busy machine may sleep on for 10 seconds and more.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
