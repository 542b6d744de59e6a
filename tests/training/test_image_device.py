"""Images on the device that trains: chosen where they fit, and the same training as with batches of the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.augmentation import Augmentation
from pipeline.data.image_set import Array, ImageSet
from pipeline.data.loader import make_loader
from pipeline.data.partition import Partition
from pipeline.data.pixels import StoredPixels
from pipeline.data.source import Split, load_training_data
from pipeline.knobs.table import KnobValue, complete
from pipeline.process import call_in_fresh_process
from pipeline.settings import DataSettings
from pipeline.training.configuration import Configuration
from pipeline.training.image_device import _bytes_in_memory, choose_image_device, fits
from pipeline.training.metric import get_metric
from pipeline.training.result import TrainingResult
from pipeline.training.steps import group_steps
from pipeline.training.trainer import train

TINY: dict[str, KnobValue] = {
    "blocks": 1, "filters": 4, "head": "flatten", "batch_size": 16, "epochs": 2, "dropout_after_pool": 0.1,
}  # fmt: skip
RESAMPLING: dict[str, KnobValue] = {"augmentation": "heavy", "rotation_degrees": 10.0, "zoom": 0.1}
WEIGHTED: dict[str, KnobValue] = {"augmentation": "flips_and_shifts", "class_weights": True, "label_smoothing": 0.1}
Figures = tuple[list[Array], list[float]]
"""The weights and the validation losses of a training."""


def train_digits(knobs: dict[str, KnobValue], image_device: str | None) -> TrainingResult:
    split = load_training_data(DataSettings(dataset="digits")).at(0)
    configuration = Configuration(complete({**TINY, **knobs}))
    return train(
        build=configuration.bind(split).build, plan=configuration.plan, data=split, metric=get_metric("val_accuracy"),
        seed=3, image_device=image_device,
    )  # fmt: skip


def make_two_devices() -> str:
    """Have TensorFlow take this process's CPU for two devices; return the name of the second."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    return str(tf.config.list_logical_devices("CPU")[1].name)


def train_with_and_without(several: list[dict[str, KnobValue]]) -> list[tuple[Figures, Figures]]:
    """Return what trainings come to with the images on the second of two devices, and with batches of the CPU."""
    second = make_two_devices()
    return [(figures_of(train_digits(knobs, second)), figures_of(train_digits(knobs, None))) for knobs in several]


def figures_of(result: TrainingResult) -> Figures:
    return result.network.get_weights(), [epoch.val_loss for epoch in result.epochs]


@pytest.mark.slow
def test_training_is_the_same_with_the_images_on_another_device(tmp_path: Path) -> None:
    found = call_in_fresh_process(train_with_and_without, [WEIGHTED, RESAMPLING], log=tmp_path / "log")

    assert len(found) == 2
    for (weights, losses), (expected, expected_losses) in found:
        assert losses == expected_losses
        assert all(np.array_equal(*pair) for pair in zip(weights, expected, strict=True))


def places_of_a_loader() -> tuple[str, set[str], set[str]]:
    import tensorflow as tf

    second = make_two_devices()
    images = load_training_data(DataSettings(dataset="digits")).at(0).train
    loader = make_loader(images, Augmentation(width_shift=0.1, erased_share=0.25), device=second)
    traced = tf.function(loader).get_concrete_function(tf.range(4), tf.constant([1, 2]))
    held = {tensor.device for tensor in traced.captured_inputs}
    computed = {operation.device for operation in traced.graph.get_operations() if operation.type == "GatherV2"}
    return second, held, computed


def test_images_are_held_gathered_and_augmented_by_the_device_of_the_loader(tmp_path: Path) -> None:
    second, held, computed = call_in_fresh_process(places_of_a_loader, log=tmp_path / "log")

    assert held == {"/job:localhost/replica:0/task:0" + second}
    assert computed == {second}


@pytest.mark.slow
@pytest.mark.parametrize("knobs", [WEIGHTED, RESAMPLING], ids=["compilable", "resampling"])
def test_xla_compiles_the_step_with_the_images_of_a_device(digits: Split, knobs: dict[str, KnobValue]) -> None:
    expected, plain_loss = fit(digits, knobs, jit_compile=False)

    weights, loss = fit(digits, knobs, jit_compile=True)

    assert loss == pytest.approx(plain_loss, rel=1e-5)
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def fit(split: Split, knobs: dict[str, KnobValue], *, jit_compile: bool) -> tuple[list[Array], float]:
    """Train for an epoch as the trainer does, but for XLA, which Keras leaves off where there is no GPU."""
    import keras

    from pipeline.data.batches import epoch_variable, training_batches, validation_batches
    from pipeline.training.loss import make_loss, make_metrics

    configuration = Configuration(complete({**TINY, **knobs, "dropout_after_pool": 0.0}))
    plan = configuration.plan
    keras.utils.set_random_seed(0)
    network = configuration.bind(split).build("float32")
    network.compile(
        keras.optimizers.SGD(0.01), make_loss(10), metrics=make_metrics(10, class_weights=plan.class_weights),
        steps_per_execution=8, jit_compile=jit_compile,
    )  # fmt: skip
    group_steps(network, make_loader(split.train, plan.augmentation, device="CPU:0"),
                make_loader(split.validation, device="CPU:0"))  # fmt: skip
    batches = training_batches(
        split.train, n_outputs=10, batch_size=16, augmentation=plan.augmentation, label_smoothing=plan.label_smoothing,
        class_weights=plan.class_weights, seed=0, epoch=epoch_variable(), loads=False,
    )  # fmt: skip
    validation = validation_batches(split.validation, n_outputs=10, loads=False)
    fitted = network.fit(batches, validation_data=validation, shuffle=False, verbose=0)
    return network.get_weights(), fitted.history["val_loss"][-1]


def test_batches_are_made_by_the_cpu_where_there_is_no_gpu(digits: Split) -> None:
    assert choose_image_device(digits) is None


def test_images_on_disk_stay_there(digits: Split) -> None:
    train_images: Any = digits.train.images
    stored: ImageSet = replace(digits.images, images=StoredPixels(train_images, np.arange(len(train_images))))
    half = len(train_images) // 2
    on_disk = Split(
        replace(stored, labels=digits.train.labels), Partition(np.arange(half), np.arange(half, 2 * half)), "x"
    )

    assert _bytes_in_memory(on_disk) is None
    assert _bytes_in_memory(digits) == 1437 * 64


@pytest.mark.parametrize(("n_bytes", "memory_mb", "is_fitting"), [
    (184_320_000, 81_559, True),  # CIFAR-10
    (2**30, 4096, True),
    (2**30 + 1, 4096, False),
    (0, 4096, True),
])  # fmt: skip
def test_images_leave_three_quarters_of_the_memory_to_the_network(
    n_bytes: int, memory_mb: int, is_fitting: bool
) -> None:
    assert fits(n_bytes, memory_mb) is is_fitting
