"""A training that stops after an epoch and goes on in another process ends as if it had never stopped, to the bit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.image_set import Array
from pipeline.data.source import Split, load_training_data
from pipeline.knobs.table import KnobValue, complete
from pipeline.model.model_file import read_model_file
from pipeline.settings import DataSettings
from pipeline.training.checkpoint import Checkpoint, read_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.configuration import Configuration, model_file_configuration
from pipeline.training.device import configure_device
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric, get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train

TINY: dict[str, KnobValue] = {
    "blocks": 1, "filters": 4, "head": "flatten", "batch_norm": False, "batch_size": 64, "epochs": 6,
}  # fmt: skip
VAL_ACCURACY = get_metric("val_accuracy")
STANDING_STILL: dict[str, KnobValue] = {"optimizer": "sgd", "learning_rate": 1e-7, "momentum": 0.0}
MODEL_FILE = """
input_shape: [8, 8, 1]
training: {batch_size: 64, epochs: 4, optimizer: rmsprop, momentum: 0.5, learning_rate: 0.003}
layers:
  - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
  - BatchNormalization
  - Flatten
  - Dropout: {rate: 0.3}
  - Dense: {units: 10, activation: softmax}
"""


@dataclass(frozen=True)
class Case:
    """A training, and the epoch that it is cut after."""

    name: str
    knobs: dict[str, KnobValue] = field(default_factory=dict)
    cut: int = 3
    metric: Metric | None = VAL_ACCURACY
    model: str | None = None

    def configuration(self, folder: Path) -> Configuration:
        if self.model is None:
            return Configuration(complete({**TINY, **self.knobs}))
        path = folder / f"{self.name}.yaml"
        path.write_text(self.model)
        return model_file_configuration(read_model_file(path))


CASES = [
    Case("one_cycle", {
        "optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.05, "learning_rate_schedule": "one_cycle",
        "augmentation": "flips_and_shifts",
    }),
    Case("dropout", {
        "optimizer": "adam", "learning_rate_schedule": "cosine", "batch_norm": True, "dropout_after_pool": 0.3,
        "fc_depth": 1, "fc_units": 16, "fc_dropout": 0.2, "weight_decay": 0.01, "learning_rate": 0.02,
    }, cut=2),
    # The rate falls after epochs 3 and 5, so that the cut lies between them, and in the middle of a patience.
    Case("plateau", {
        **STANDING_STILL, "epochs": 7, "learning_rate_schedule": "plateau", "plateau_factor": 0.5,
        "plateau_patience": 2, "plateau_cooldown": 1,
    }, cut=4),
    # The best of val_accuracy is epoch 1, before the cut: patience is up after epoch 4.
    Case("early_stopping", {**STANDING_STILL, "early_stopping_patience": 3}, cut=2),
    # The best epoch by val_loss lies before the cut: the rate is far too high after it.
    Case("best_before_the_cut", {
        "optimizer": "sgd", "learning_rate": 3.0, "learning_rate_schedule": "one_cycle", "epochs": 5,
    }, cut=3, metric=Metric("val_loss", "maximize")),
    Case("refit", {"class_weights": True, "label_smoothing": 0.1, "early_stopping_patience": 0}, metric=None),
    Case("model_file", model=MODEL_FILE, cut=2),
    Case("dirac", {"kernel_initializer": "dirac", "blocks": 2, "batch_norm": True}),
    Case("whitening", {"whitening": True}),
    Case("mirrored", {"mirrored_prediction": True, "dropout_after_pool": 0.2}),
    Case("alternating", {"augmentation": "flips_and_shifts", "alternating_flip": True}),
    Case("bias_rate", {"batch_norm": True, "batch_norm_bias_rate": 64.0, "optimizer": "sgd", "learning_rate": 0.05}),
    Case("class_weights", {"class_weights": True, "optimizer": "adamw", "weight_decay": 0.1}, cut=5),
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What can be compared of a training that was done in another process."""

    epochs: tuple[Epoch, ...]
    best_epoch: Epoch | None
    ending: Ending
    weights: list[Array]
    last: Checkpoint | None

    @classmethod
    def of(cls, result: TrainingResult, path: Path) -> Outcome:
        epochs = tuple(replace(epoch, epoch_seconds=0.0) for epoch in result.epochs)
        best = result.best_epoch and replace(result.best_epoch, epoch_seconds=0.0)
        return cls(epochs, best, result.ending, result.network.get_weights(), read_checkpoint(path))


def digits() -> Split:
    return load_training_data(DataSettings(dataset="digits")).at(0)


def always_due(path: Path) -> Path:
    """Have this process write a checkpoint after each epoch, and return its path."""
    from pipeline.training import checkpoint_writer

    checkpoint_writer.LEAST_WRITES_APART = 0
    return path


def run(case: Case, folder: Path, name: str, **how: Any) -> Outcome:
    """Train in a process of one thread, writing checkpoints after each epoch."""
    configuration, data = case.configuration(folder), digits()
    path = always_due(folder / f"{case.name}-{name}.npz")
    result = train(
        build=configuration.bind(data).build, plan=configuration.plan, data=data, metric=case.metric, seed=2**31 - 3,
        checkpoint=CheckpointWriter(path), **how,
    )  # fmt: skip
    return Outcome.of(result, path)


def run_whole(case: Case, folder: Path) -> Outcome:
    return run(case, folder, "whole")


def pause_after(number: int, epoch: Epoch) -> Ending | None:
    return Ending(Cause.PAUSED) if epoch.number == number else None


def run_to_the_cut(case: Case, folder: Path) -> Outcome:
    return run(case, folder, "cut", on_epoch=partial(pause_after, case.cut))


def run_from(case: Case, folder: Path, checkpoint: Checkpoint) -> Outcome:
    return run(case, folder, "resumed", resume_from=checkpoint)


def one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    configure_device(threads=1)


@dataclass(frozen=True)
class Processes:
    """A process for trainings without a cut and to it, and another one that goes on with them."""

    folder: Path
    first: ProcessPoolExecutor
    second: ProcessPoolExecutor
    _done: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def whole(self, case: Case) -> Outcome:
        return self._once(run_whole, case)

    def cut(self, case: Case) -> Outcome:
        return self._once(run_to_the_cut, case)

    def _once(self, train: Callable[[Case, Path], Outcome], case: Case) -> Outcome:
        key = train.__name__, case.name
        if key not in self._done:
            self._done[key] = self.first.submit(train, case, self.folder).result()
        return self._done[key]

    def resumed(self, case: Case, checkpoint: Checkpoint | None) -> Outcome:
        assert checkpoint is not None
        return self.second.submit(run_from, case, self.folder, checkpoint).result()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("checkpoints")

    def start() -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=spawn, initializer=one_thread)

    with start() as first, start() as second:
        yield Processes(folder, first, second)


def assert_same(ours: list[Array], theirs: list[Array]) -> None:
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_state(ours: Checkpoint | None, theirs: Checkpoint | None) -> None:
    assert ours is not None
    assert theirs is not None
    assert_same(ours.variables, theirs.variables)
    assert_same(ours.optimizer_variables, theirs.optimizer_variables)
    assert_same(ours.best_weights, theirs.best_weights)
    assert ours.ending == theirs.ending


def figures(epochs: tuple[Epoch, ...]) -> list[tuple[object, ...]]:
    """Return the epochs so that NaN equals NaN."""
    return [tuple(map(repr, vars(epoch).values())) for epoch in epochs]


@pytest.mark.parametrize(
    "case", [CASES[0], *(pytest.param(case, marks=pytest.mark.slow) for case in CASES[1:])], ids=lambda case: case.name
)
def test_training_in_two_parts_is_the_same_as_in_one(processes: Processes, case: Case) -> None:
    whole, cut = processes.whole(case), processes.cut(case)

    resumed = processes.resumed(case, cut.last)

    assert len(cut.epochs) == case.cut < len(whole.epochs), "there must be something left to train for this test"
    assert cut.ending == Ending(Cause.PAUSED)
    assert figures(cut.epochs) == figures(whole.epochs[: case.cut])
    assert figures(resumed.epochs) == figures(whole.epochs)
    assert resumed.best_epoch is not None
    assert whole.best_epoch is not None
    assert figures((resumed.best_epoch,)) == figures((whole.best_epoch,))
    assert resumed.ending == whole.ending
    assert_same(resumed.weights, whole.weights)
    assert_same_state(resumed.last, whole.last)


def by_name(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.slow
def test_cases_are_what_they_are_meant_to_be(processes: Processes) -> None:
    plateau = processes.whole(by_name("plateau"))
    rates = [epoch.learning_rate for epoch in plateau.epochs]
    assert rates[3] < rates[2], "it acts before the cut"
    assert rates[-1] < rates[3], "and after it"
    early = processes.whole(by_name("early_stopping"))
    assert early.ending.cause is Cause.EARLY
    before = processes.whole(by_name("best_before_the_cut"))
    assert before.best_epoch is not None
    assert before.best_epoch.number <= by_name("best_before_the_cut").cut


def without_momentum(checkpoint: Checkpoint) -> Checkpoint:
    zeros = [np.zeros_like(array) if array.ndim else array for array in checkpoint.optimizer_variables]
    return replace(checkpoint, optimizer_variables=zeros)


def without_position(checkpoint: Checkpoint) -> Checkpoint:
    zeros = [array if array.ndim else np.zeros_like(array) for array in checkpoint.optimizer_variables]
    return replace(checkpoint, optimizer_variables=zeros)


def without_best_weights(checkpoint: Checkpoint) -> Checkpoint:
    return replace(checkpoint, best_weights=[np.zeros_like(array) for array in checkpoint.best_weights])


def without_seeds(checkpoint: Checkpoint) -> Checkpoint:
    changed = [array if array.dtype == np.float32 else array + 1 for array in checkpoint.variables]
    return replace(checkpoint, variables=changed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("one_cycle", without_momentum),
        ("one_cycle", without_position),
        ("best_before_the_cut", without_best_weights),
        ("dropout", without_seeds),
    ],
    ids=["momentum", "position", "best weights", "seeds of dropout"],
)
def test_each_part_of_a_checkpoint_matters(
    processes: Processes, name: str, without: Callable[[Checkpoint], Checkpoint]
) -> None:
    case = by_name(name)
    checkpoint = processes.cut(case).last
    assert checkpoint is not None

    whole, resumed = processes.whole(case), processes.resumed(case, without(checkpoint))

    assert any((one != other).any() for one, other in zip(resumed.weights, whole.weights, strict=True))
