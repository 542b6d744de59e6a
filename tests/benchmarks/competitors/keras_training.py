"""How the peers train: ``fit`` on arrays as their users write it, or at our speed where they are given our prior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.data.batches import epoch_variable
from pipeline.data.flips import make_alternating_flips
from pipeline.data.image_set import Array
from pipeline.data.scaling import fit_scaling
from pipeline.data.whitening import fit_whitening
from pipeline.knobs.table import Knobs

from .keras_network import build_network, compile_network
from .progress import Progress, hold_weights
from .task import Task

_EVALUATED_AT_ONCE = 500
_IMAGES_AN_EXECUTION, _MOST_STEPS_AN_EXECUTION = 1024, 32
_SHIFTED_SHARE = 1 / 16  # of an image's side, as the presets of our knob 'augmentation' have it


@dataclass
class KerasTraining:
    """Trains the networks of one competitor, and tells its progress.

    At our speed (``task.has_prior``) steps run in groups, batches are gathered in TensorFlow, validation batches are
    large, and precision is that of the task.
    """

    task: Task
    progress: Progress

    def __post_init__(self) -> None:
        import keras

        keras.utils.set_random_seed(self.task.seed)
        if self.task.has_prior:
            from pipeline.training.device import resolve_precision

            keras.config.set_dtype_policy(resolve_precision(self.task.precision))

    @cached_property
    def data(self) -> tuple[Array, Array, Array, Array]:
        """Training images and one-hot labels, validation images and one-hot labels."""
        split = self.task.split
        classes = np.eye(len(split.images.class_names), dtype=np.float32)
        train, validation = split.train, split.validation
        return (
            np.asarray(train.images),
            classes[train.labels],
            np.asarray(validation.images),
            classes[validation.labels],
        )

    def build(self, knobs: Knobs, epochs: int) -> Any:
        """Return a compiled network for a training of ``epochs``."""
        import keras

        keras.backend.clear_session()
        images, labels = self.data[:2]
        batch_size = int(knobs["batch_size"])
        network = build_network(knobs, input_shape=images.shape[1:], n_classes=labels.shape[1])
        if knobs["whitening"]:
            whitening = fit_whitening(images, fit_scaling("zero_one", images))
            network.get_layer("whitening").set_weights([whitening.kernel, whitening.bias])
        n_steps = max(1, len(images) // batch_size) if self.task.has_prior else -(-len(images) // batch_size)
        group = min(_MOST_STEPS_AN_EXECUTION, _IMAGES_AN_EXECUTION // batch_size, n_steps) if self.task.has_prior else 1
        return compile_network(network, knobs, n_steps=n_steps * epochs, steps_per_execution=max(1, group))

    def fit(
        self, network: Any, knobs: Knobs, epochs: int, *, initial_epoch: int = 0, callbacks: Sequence[Any] = ()
    ) -> Any:
        """Train a compiled network from ``initial_epoch`` to ``epochs``, and return Keras's history.

        Raises:
            BudgetOver: the competitor's time is up.
        """
        import keras

        self.progress.begin_training(knobs)
        images, labels, *validation = self.data
        batch_size = int(knobs["batch_size"])
        told: dict[str, Any] = {
            "epochs": epochs, "initial_epoch": initial_epoch, "validation_data": tuple(validation), "verbose": 0,
            "callbacks": [follow(self.progress, self._holder(network, knobs)), *callbacks, *_early_stopping(knobs)],
        }  # fmt: skip
        if not self.task.has_prior:
            return network.fit(images, labels, batch_size=batch_size, **told)
        epoch = epoch_variable()
        told["callbacks"].append(keras.callbacks.LambdaCallback(on_epoch_begin=lambda at, logs: epoch.assign(at + 1)))
        batches = _batches(images, labels, knobs, epoch=epoch, seed=self.task.seed)
        return network.fit(batches, shuffle=False, validation_batch_size=_EVALUATED_AT_ONCE, **told)

    def _holder(self, network: Any, knobs: Knobs) -> Callable[[float], None]:
        return lambda value: hold_weights(self.task.held_file, knobs, value, network.get_weights())


def follow(progress: Progress, hold: Callable[[float], None]) -> Any:
    """Return a callback that tells the progress of each epoch, and ends the competitor when its time is up."""
    import keras

    class Follow(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            progress.check_time()

        def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            progress.check_time()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            value = float((logs or {})["val_accuracy"])
            progress.end_epoch(epoch + 1, value, lambda: hold(value))

    return Follow()


def _early_stopping(knobs: Knobs) -> list[Any]:
    import keras

    patience = int(knobs["early_stopping_patience"])
    return [keras.callbacks.EarlyStopping("val_accuracy", patience=patience)] if patience else []


def _batches(images: Array, labels: Array, knobs: Knobs, *, epoch: Any, seed: int) -> Any:
    """Return shuffled full batches, gathered and augmented in TensorFlow; ``epoch`` has the number of the epoch."""
    import tensorflow as tf

    pixels, targets = tf.constant(images), tf.constant(labels)
    size, augmentation = min(int(knobs["batch_size"]), len(images)), str(knobs["augmentation"])
    flips = make_alternating_flips(len(images), seed) if knobs["alternating_flip"] else None

    def gather(indices: Any) -> Any:
        is_mirrored = tf.random.uniform((size,)) < 0.5 if flips is None else flips(indices, epoch)
        return _augmented(tf.gather(pixels, indices), augmentation, is_mirrored), tf.gather(targets, indices)

    indices = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).batch(size, drop_remainder=True)
    return indices.map(gather, num_parallel_calls=2).prefetch(2)


def _augmented(batch: Any, augmentation: str, is_mirrored: Any) -> Any:
    """Return images, each shifted by up to a sixteenth of its side, its edge repeated, and mirrored if that is asked.

    Rows and columns are gathered one axis at a time, which costs a CPU far less than Keras's layers, which interpolate.
    """
    import tensorflow as tf

    if augmentation == "none":
        return batch
    if augmentation not in ("shifts", "flips_and_shifts"):
        raise ValueError(f"the peers' Keras code knows no augmentation '{augmentation}'; teach it")
    n_images, height, width = batch.shape[0], batch.shape[1], batch.shape[2]
    rows, columns = (_shifted(n_images, side) for side in (height, width))
    if augmentation == "flips_and_shifts":
        columns = tf.where(is_mirrored[:, None], width - 1 - columns, columns)
    return tf.gather(tf.gather(batch, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def _shifted(n_images: int, side: int) -> Any:
    import tensorflow as tf

    reach = max(1, int(side * _SHIFTED_SHARE))
    shift = tf.random.uniform((n_images, 1), -reach, reach + 1, tf.int32)
    return tf.clip_by_value(tf.range(side)[None, :] + shift, 0, side - 1)
