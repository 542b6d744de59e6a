"""Train one network from plain values."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pipeline.data.batches import epoch_variable, steps_per_epoch, training_batches, validation_batches
from pipeline.data.source import Split
from pipeline.training.callbacks import follow
from pipeline.training.course import Course, OnBatch, OnEpoch
from pipeline.training.loss import check_outputs, make_loss, make_metrics
from pipeline.training.metric import Metric, get_monitor
from pipeline.training.optimizer import make_optimizer
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import TrainingResult

_IMAGES_PER_EXECUTION = 1024  # steps of small batches run in groups: up to twice the speed, and still often a break
_MAX_STEPS_PER_EXECUTION = 32


def train(
    *,
    build: Callable[[str], Any],
    plan: TrainingPlan,
    data: Split,
    metric: Metric | None,
    seed: int,
    precision: str = "float32",
    on_epoch: OnEpoch = lambda epoch: None,
    on_batch: OnBatch = lambda share: None,
) -> TrainingResult:
    """Build and train a network, and give it the weights of its best epoch, or with no ``metric`` of its last one.

    Without a ``metric`` nothing is validated: ``data`` needs no validation images.

    ``build`` gets a Keras dtype policy name and returns an uncompiled network that takes raw pixels.
    ``on_epoch`` gets each finished epoch and returns a reason to prune, or None; ``on_batch`` gets the share of the
    epoch that is done and returns why to stop, or None. The same ``seed`` gives the same weights on a CPU. Loss and
    targets follow from the network's output: probabilities of all classes, or of the second of two.

    Raises:
        OutputError: the network's output does not fit the classes.
    """
    import keras

    keras.utils.set_random_seed(seed)
    n_images = len(data.train.labels)
    n_steps = steps_per_epoch(n_images, plan.batch_size)
    network = build(precision)
    n_outputs = network.output_shape[-1]
    check_outputs(n_outputs, n_classes=len(data.class_names))
    _compile(network, plan, n_steps)
    monitor = metric if plan.early_stopping_monitor == "auto" else get_monitor(plan.early_stopping_monitor)
    validation = validation_batches(data.validation, n_outputs=n_outputs) if metric else None
    course = Course(metric, monitor, plan.early_stopping_patience, n_steps, on_epoch, on_batch)
    epoch_number = epoch_variable()
    batches = training_batches(
        data.train, n_outputs=n_outputs, batch_size=plan.batch_size, augmentation=plan.augmentation,
        label_smoothing=plan.label_smoothing, class_weights=plan.class_weights, seed=seed,
        epoch=epoch_number,
    )  # fmt: skip
    start = time.perf_counter()
    network.fit(
        batches, validation_data=validation, epochs=plan.epochs,
        callbacks=[follow(course, epoch_number), *_plateau(plan)], shuffle=False, verbose=0,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if course.best_weights is not None:
        network.set_weights(course.best_weights)
    return TrainingResult(
        network=network,
        epochs=tuple(course.epochs),
        best_epoch=course.best_epoch,
        ending=course.ending,
        reason=course.reason,
        train_seconds=seconds,
        images_per_second=n_images * len(course.epochs) / seconds,
    )


def _compile(network: Any, plan: TrainingPlan, n_steps: int) -> None:
    group = max(1, min(_MAX_STEPS_PER_EXECUTION, _IMAGES_PER_EXECUTION // plan.batch_size, n_steps))
    n_outputs = network.output_shape[-1]
    network.compile(
        optimizer=make_optimizer(plan, n_steps=n_steps * plan.epochs),
        loss=make_loss(n_outputs),
        metrics=make_metrics(n_outputs, class_weights=plan.class_weights),
        steps_per_execution=group,
    )


def _plateau(plan: TrainingPlan) -> list[Any]:
    import keras

    if plan.learning_rate_schedule != "plateau":
        return []
    monitor = get_monitor(plan.plateau_monitor)
    return [
        keras.callbacks.ReduceLROnPlateau(
            monitor.name, factor=plan.plateau_factor, patience=plan.plateau_patience, mode=monitor.direction[:3],
            cooldown=plan.plateau_cooldown, min_lr=plan.plateau_min_learning_rate, verbose=0,
        )
    ]  # fmt: skip
