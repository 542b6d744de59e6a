"""Train one network from plain values."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from pipeline.data.batches import epoch_variable, training_batches, validation_batches
from pipeline.data.loader import make_loader
from pipeline.data.source import Split
from pipeline.model.backbones import trained_part
from pipeline.training.bound_configuration import Build
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.callbacks import OnImprovement, follow, reduce_on_plateau, save_checkpoints, tell_improvements
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.ending import OnBatch
from pipeline.training.loss import check_outputs, make_loss, make_metrics
from pipeline.training.metric import Metric
from pipeline.training.network_state import restore
from pipeline.training.optimizer import make_optimizer
from pipeline.training.plan import TrainingPlan
from pipeline.training.progress import OnEpoch, Progress
from pipeline.training.result import TrainingResult
from pipeline.training.schedule import position_variable
from pipeline.training.scheduler import Scheduler, execution_end
from pipeline.training.speed import Clock, Speed
from pipeline.training.steps import group_steps
from pipeline.training.timed_scheduler import TimedScheduler

_IMAGES_PER_EXECUTION = 1024  # steps of small batches run in groups: faster, and still often a break
_MAX_STEPS_PER_EXECUTION = 32
_WHOLE_PLAN = Budget()


def train(
    *,
    build: Build,
    plan: TrainingPlan,
    data: Split,
    metric: Metric | None,
    seed: int,
    precision: str = "float32",
    on_epoch: OnEpoch = lambda epoch: None,
    on_batch: OnBatch = lambda share: None,
    on_improvement: OnImprovement | None = None,
    resume_from: Checkpoint | None = None,
    checkpoint: CheckpointWriter | None = None,
    budget: Budget = _WHOLE_PLAN,
    clock: Clock = time.perf_counter,
    image_device: str | None = None,
) -> TrainingResult:
    """Build and train a network, and give it the weights of its best epoch, or with no ``metric`` of its last one.

    ``build`` gets a Keras dtype policy name and returns an uncompiled network that takes raw pixels; its output says
    what the loss is. Without a ``metric`` nothing is validated. The same ``seed`` gives the same weights on a CPU.
    ``on_epoch`` gets each finished epoch, ``on_batch`` the share of the epoch that is done; both return why the
    training ends, or None. ``on_improvement`` gets each epoch that is the best so far, and its network. The training
    goes on after ``resume_from`` as if it had never stopped. ``checkpoint`` gets each epoch, and writes the last one
    wherever the training stops to go on later. Within its ``budget`` the schedule is complete, and the last epoch may
    not be full; ``clock`` measures its seconds. Images are held, gathered and augmented by ``image_device`` (None: by
    the CPU, in the input pipeline).

    Raises:
        OutputError: the network's output does not fit the classes.
        SettingError: there is no such optimizer or schedule.
    """
    n_images = len(data.train.labels)
    scheduler = _scheduler(plan, data, budget, is_validated=metric is not None, clock=clock)
    progress = Progress(plan, metric, scheduler, on_epoch, on_batch, clock)
    position = position_variable(plan.epochs * scheduler.steps_per_epoch)
    network = _compiled(build, plan, data, scheduler, position, precision=precision, seed=seed)
    if resume_from is not None and restore(network, resume_from):
        progress.continue_from(replace(resume_from, seconds_used=0.0) if budget.from_now else resume_from)
    if progress.ending is None:
        _fit(
            network, progress, data, position, seed=seed, checkpoint=checkpoint, image_device=image_device,
            on_improvement=on_improvement,
        )  # fmt: skip
    return _result(network, progress, plan.epoch_images(n_images))


def _scheduler(plan: TrainingPlan, data: Split, budget: Budget, *, is_validated: bool, clock: Clock) -> Scheduler:
    n_images = len(data.train.labels)
    n_steps = plan.epoch_steps(n_images)
    n_at_once = max(1, min(_MAX_STEPS_PER_EXECUTION, _IMAGES_PER_EXECUTION // plan.batch_size, n_steps))
    n_epochs = budget.n_epochs(plan.epochs)
    if budget.seconds is not None:
        n_predicted = len(data.validation.labels) * (2 if plan.mirrored_prediction else 1)
        validation_share = n_predicted / plan.epoch_images(n_images) if is_validated else 0.0
        speed = Speed(budget.seconds, validation_share, n_steps, clock)
        return TimedScheduler(n_steps, n_at_once, most_steps=n_epochs * n_steps, speed=speed)
    steps = StepSchedule.of_epochs(n_epochs, n_steps)
    if budget.steps is not None:
        own = budget.steps.at(n_steps)
        last = execution_end(
            min(own.n_steps, plan.epochs * n_steps), steps_per_epoch=n_steps, steps_per_execution=n_at_once
        )
        steps = own.ending_at(last)
    return Scheduler(n_steps, n_at_once, list(steps.knots))


def _compiled(
    build: Build, plan: TrainingPlan, data: Split, scheduler: Scheduler, position: Any, *, precision: str, seed: int
) -> Any:  # fmt: skip
    import keras

    keras.utils.set_random_seed(seed)
    network = build(precision)
    n_outputs = network.output_shape[-1]
    check_outputs(n_outputs, n_classes=len(data.images.class_names))
    network.compile(
        optimizer=make_optimizer(
            plan, n_steps=plan.epochs * scheduler.steps_per_epoch, position=position, backbone=trained_part(network)
        ),
        loss=make_loss(n_outputs),
        metrics=make_metrics(n_outputs, class_weights=plan.class_weights),
        steps_per_execution=scheduler.steps_per_execution,
    )
    return network


def _fit(
    network: Any, progress: Progress, data: Split, position: Any, *, seed: int,
    checkpoint: CheckpointWriter | None, image_device: str | None, on_improvement: OnImprovement | None,
) -> None:  # fmt: skip
    plan, n_outputs, epoch_number = progress.plan, network.output_shape[-1], epoch_variable()
    loads = image_device is None
    _group_steps(network, plan, data, image_device)
    batches = training_batches(
        data.train, n_outputs=n_outputs, batch_size=plan.batch_size, augmentation=plan.augmentation, loads=loads,
        n_steps=progress.scheduler.steps_per_epoch,
        label_smoothing=plan.label_smoothing, class_weights=plan.class_weights, seed=seed, epoch=epoch_number,
    )  # fmt: skip
    callbacks = [follow(progress, epoch_number, position)]
    if on_improvement is not None:
        callbacks.append(tell_improvements(progress, on_improvement))
    if plan.learning_rate_schedule == "plateau":
        callbacks.append(reduce_on_plateau(progress))
    if checkpoint is not None:
        callbacks.append(save_checkpoints(progress, checkpoint))
    validation = validation_batches(data.validation, n_outputs=n_outputs, loads=loads) if progress.metric else None
    progress.begin()
    network.fit(
        batches, validation_data=validation, epochs=plan.epochs, initial_epoch=len(progress.epochs),
        callbacks=callbacks, shuffle=False, verbose=0,
    )  # fmt: skip


def _group_steps(network: Any, plan: TrainingPlan, data: Split, image_device: str | None) -> None:
    if image_device is None:
        group_steps(network)
        return
    loader = make_loader(data.train, plan.augmentation, device=image_device)
    group_steps(network, loader, make_loader(data.validation, device=image_device))


def _result(network: Any, progress: Progress, n_images: int) -> TrainingResult:
    assert progress.ending is not None
    seconds, steps = progress.train_seconds, progress.scheduler.steps.until(progress.n_steps)
    if progress.best_weights is not None:
        network.set_weights(progress.best_weights)
    return TrainingResult(
        network=network,
        epochs=tuple(progress.epochs),
        best_epoch=progress.best_epoch,
        ending=progress.ending,
        train_seconds=seconds,
        images_per_second=n_images * steps.n_steps / steps.steps_per_epoch / seconds,
        steps=steps,
    )
