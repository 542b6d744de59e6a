"""When a training writes its checkpoint, and what it makes of one that it is given."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.batches import validation_batches
from pipeline.data.source import Split
from pipeline.knobs.table import KnobValue, complete
from pipeline.training import checkpoint_writer
from pipeline.training.budget import StepSchedule
from pipeline.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import get_metric
from pipeline.training.network_state import restore
from pipeline.training.progress import OnEpoch
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train

Train = Callable[..., TrainingResult]
TINY: dict[str, KnobValue] = {
    "blocks": 1, "filters": 4, "batch_norm": False, "head": "flatten",
    "batch_size": 64, "learning_rate": 0.01, "epochs": 4,
}  # fmt: skip
HOW = ("on_epoch", "on_batch", "resume_from", "checkpoint")


@pytest.fixture
def train_tiny(digits: Split) -> Train:
    """Return a function that trains a tiny network with the given knobs."""

    def train_with(**values: Any) -> TrainingResult:
        how = {name: values.pop(name) for name in HOW if name in values}
        configuration = Configuration(complete({**TINY, **values}))
        return train(
            build=configuration.bind(digits).build, plan=configuration.plan, data=digits, seed=0,
            metric=get_metric("val_accuracy"), **how,
        )  # fmt: skip

    return train_with


@pytest.fixture
def never_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "LEAST_WRITES_APART", math.nan)  # no time is as long


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "LEAST_WRITES_APART", 0)


@pytest.fixture
def two_epochs(train_tiny: Train, tmp_path: Path) -> Checkpoint:
    train_tiny(checkpoint=CheckpointWriter(tmp_path / "two.npz"), on_epoch=pause_after(2))
    checkpoint = read_checkpoint(tmp_path / "two.npz")
    assert checkpoint is not None
    return checkpoint


def pause_after(number: int) -> OnEpoch:
    return lambda epoch: Ending(Cause.PAUSED) if epoch.number == number else None


def never(*args: object) -> None:
    raise AssertionError("nothing is to be trained")


@pytest.mark.usefixtures("never_due")
def test_training_that_is_paused_after_an_epoch_always_writes(train_tiny: Train, tmp_path: Path) -> None:
    result = train_tiny(
        checkpoint=CheckpointWriter(tmp_path / "a.npz"), on_epoch=pause_after(2), learning_rate_schedule="one_cycle"
    )

    assert (result.ending, len(result.epochs)) == (Ending(Cause.PAUSED), 2)
    assert result.epochs[-1].learning_rate == pytest.approx(0.01 * 2 / 3, rel=0.05), "the schedule spans all epochs"
    checkpoint = read_checkpoint(tmp_path / "a.npz")
    assert checkpoint is not None
    assert (checkpoint.epochs, checkpoint.ending) == (result.epochs, None)
    assert 0 < checkpoint.train_seconds <= result.train_seconds


@pytest.mark.usefixtures("never_due")
@pytest.mark.parametrize(
    ("cause", "writes"),
    [(Cause.PAUSED, True), (Cause.INTERRUPTED, True), (Cause.PRUNED, False), (Cause.TIME_UP, False)],
)
def test_training_that_is_to_go_on_later_always_writes(
    train_tiny: Train, tmp_path: Path, cause: Cause, writes: bool
) -> None:
    train_tiny(checkpoint=CheckpointWriter(tmp_path / "a.npz"), on_epoch=lambda epoch: Ending(cause, "now"))

    checkpoint = read_checkpoint(tmp_path / "a.npz")
    assert (checkpoint is not None) == writes
    assert checkpoint is None or (len(checkpoint.epochs), checkpoint.ending) == (1, None)


@pytest.mark.usefixtures("never_due")
def test_training_that_is_not_due_writes_nothing(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny(checkpoint=CheckpointWriter(tmp_path / "a.npz"), epochs=2)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("never_due")
@pytest.mark.parametrize("in_validation", [False, True])
def test_epoch_that_is_broken_off_to_go_on_later_leaves_the_checkpoint_of_the_one_before(
    train_tiny: Train, tmp_path: Path, in_validation: bool
) -> None:
    """The share of the epoch that is done is 1.0 after its last step, and then again in its validation."""
    finished: list[Epoch] = []
    n_full = 0

    def stop(share: float) -> Ending | None:
        nonlocal n_full
        n_full += share == 1.0
        is_there = n_full == 6 if in_validation else len(finished) == 2
        return Ending(Cause.INTERRUPTED) if is_there else None

    result = train_tiny(checkpoint=CheckpointWriter(tmp_path / "a.npz"), on_batch=stop, on_epoch=finished.append)

    checkpoint = read_checkpoint(tmp_path / "a.npz")
    assert (len(finished), result.ending) == (2, Ending(Cause.INTERRUPTED))
    assert checkpoint is not None
    assert checkpoint.epochs == tuple(finished)


def test_time_that_is_up_in_validation_does_not_cost_the_epoch(train_tiny: Train) -> None:
    n_full = 0

    def stop(share: float) -> Ending | None:
        nonlocal n_full
        n_full += share == 1.0
        return Ending(Cause.TIME_UP) if n_full == 2 else None

    assert len(train_tiny(on_batch=stop, epochs=1).epochs) == 1


@pytest.mark.usefixtures("never_due")
def test_checkpoint_that_is_saved_from_another_thread_while_the_training_goes_on_is_that_of_the_last_epoch(
    train_tiny: Train, tmp_path: Path
) -> None:
    writer = CheckpointWriter(tmp_path / "a.npz")
    finished: list[Epoch] = []

    def save_in_the_third_epoch(share: float) -> None:
        if len(finished) == 2 and share > 0.5 and not writer.path.exists():
            thread = threading.Thread(target=writer.save)
            thread.start()
            thread.join()

    whole = train_tiny(checkpoint=writer, on_batch=save_in_the_third_epoch, on_epoch=finished.append)

    checkpoint = read_checkpoint(writer.path)
    assert checkpoint is not None
    assert checkpoint.epochs == tuple(finished[:2])
    resumed = train_tiny(resume_from=checkpoint)
    for one, other in zip(resumed.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("always_due")
@pytest.mark.parametrize(
    "ending", [Ending(Cause.COMPLETE), Ending(Cause.PRUNED, "below the median"), Ending(Cause.TIME_UP)], ids=str
)
def test_checkpoint_of_a_training_that_is_over_gives_its_result_at_once(
    train_tiny: Train, tmp_path: Path, digits: Split, ending: Ending
) -> None:
    def end(epoch: Epoch) -> Ending | None:
        return ending if epoch.number == 3 else None

    first = train_tiny(checkpoint=CheckpointWriter(tmp_path / "a.npz"), on_epoch=end)
    checkpoint = read_checkpoint(tmp_path / "a.npz")

    again = train_tiny(resume_from=checkpoint, on_epoch=never, on_batch=never)

    assert checkpoint is not None
    assert checkpoint.ending == ending
    assert (again.epochs, again.best_epoch, again.ending) == (first.epochs, first.best_epoch, ending)
    assert again.train_seconds == checkpoint.train_seconds
    assert again.images_per_second == pytest.approx(3 * 1150 / checkpoint.train_seconds)
    for one, other in zip(again.network.get_weights(), first.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.best_epoch is not None
    loss = again.network.evaluate(validation_batches(digits.validation, n_outputs=10), verbose=0)[0]
    assert loss == pytest.approx(first.best_epoch.val_loss, rel=1e-4)


def test_checkpoint_with_all_epochs_is_complete(train_tiny: Train, two_epochs: Checkpoint) -> None:
    result = train_tiny(resume_from=two_epochs, epochs=2, on_epoch=never, on_batch=never)

    assert (result.ending, result.epochs) == (Ending(Cause.COMPLETE), two_epochs.epochs)


def test_only_new_epochs_are_told_and_times_add_up(train_tiny: Train, two_epochs: Checkpoint) -> None:
    told: list[int] = []
    before = replace(two_epochs, train_seconds=1000.0)

    result = train_tiny(resume_from=before, on_epoch=lambda epoch: told.append(epoch.number))

    assert told == [3, 4]
    assert [epoch.number for epoch in result.epochs] == [1, 2, 3, 4]
    assert 1000 < result.train_seconds < 1060
    assert result.images_per_second == pytest.approx(4 * 1150 / result.train_seconds)


def test_checkpoint_of_another_network_is_left_aside(
    train_tiny: Train, two_epochs: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    result = train_tiny(resume_from=two_epochs, filters=5, epochs=1)

    assert [epoch.number for epoch in result.epochs] == [1]
    assert result.ending == Ending(Cause.COMPLETE)
    assert "is of another network" in caplog.text


def test_checkpoint_of_another_optimizer_leaves_the_network_as_it_was(
    train_tiny: Train, two_epochs: Checkpoint
) -> None:
    begun_anew, plain = (
        train_tiny(resume_from=given, optimizer="sgd", epochs=1).network.get_weights() for given in (two_epochs, None)
    )

    for one, other in zip(begun_anew, plain, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("always_due")
def test_folder_that_cannot_be_written_does_not_stop_a_training(
    train_tiny: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")

    result = train_tiny(checkpoint=CheckpointWriter(tmp_path / "file" / "a.npz"), epochs=2)

    assert (result.ending, len(result.epochs)) == (Ending(Cause.COMPLETE), 2)
    assert "could not be written" in caplog.text


def scaled_network() -> Any:
    """Return a network of 2 weights whose optimizer scales its loss, as in half precision."""
    import keras

    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.5), dynamic_growth_steps=3)
    network.compile(optimizer=optimizer, loss="mse")
    return network


def test_optimizer_that_scales_the_loss_is_restored_with_its_scale(tmp_path: Path) -> None:
    network, other = scaled_network(), scaled_network()
    network.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=2, verbose=0)
    states = [[np.asarray(each) for each in part] for part in (network.variables, network.optimizer.variables)]
    checkpoint = Checkpoint(*states, network.get_weights(), (), 1.0, StepSchedule.of_epochs(1, 4))
    write_checkpoint(tmp_path / "a.npz", checkpoint)
    read = read_checkpoint(tmp_path / "a.npz")
    assert read is not None

    assert restore(other, read)

    assert float(np.asarray(other.optimizer.dynamic_scale)) == 2.0**16
    assert int(np.asarray(other.optimizer.iterations)) == 4
    for one, same in zip(other.optimizer.variables, network.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(same))
