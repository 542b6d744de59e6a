"""Trainings within a budget: a complete schedule that ends where it should, recorded, repeated and resumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.source import Split
from pipeline.knobs.table import KnobValue, complete
from pipeline.training import checkpoint_writer
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.checkpoint import read_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train

STEPS_PER_EPOCH, STEPS_AT_ONCE = 143, 32  # of 1,150 images
TINY: dict[str, KnobValue] = {
    "blocks": 1, "filters": 2, "batch_norm": False, "head": "flatten", "batch_size": 8, "epochs": 50,
    "optimizer": "sgd", "learning_rate": 0.05, "learning_rate_schedule": "linear", "augmentation": "shifts",
}  # fmt: skip


@dataclass
class Clock:
    """A clock that training and validation move, ``growth`` times as far with each execution as with the last."""

    epoch_seconds: float = 4.0
    validation_seconds: float = 0.5
    growth: float = 1.0
    now: float = 100.0
    share: float = 0.0

    def __call__(self) -> float:
        return self.now

    def end_batch(self, share: float) -> None:
        if share == self.share:  # asked again, between groups of validation batches
            return
        self.epoch_seconds *= self.growth
        self.now += self.epoch_seconds * (share - self.share)
        self.share = share

    def end_epoch(self, epoch: Epoch) -> None:
        self.now += self.validation_seconds
        self.share = 0.0


Train = Callable[..., TrainingResult]


@pytest.fixture(scope="module")
def train_tiny(digits: Split) -> Train:
    """Return a function that trains a tiny network with the given knobs, by a clock of its own."""

    def train_with(budget: Budget, clock: Clock | None = None, **values: Any) -> TrainingResult:
        how = {name: values.pop(name) for name in ("on_epoch", "resume_from", "checkpoint", "metric") if name in values}
        configuration, clock = Configuration(complete({**TINY, **values})), clock or Clock()
        settings = {"metric": get_metric("val_accuracy"), "on_epoch": clock.end_epoch, **how}
        return train(
            build=configuration.bind(digits).build, plan=configuration.plan, data=digits, seed=5, budget=budget,
            on_batch=clock.end_batch, clock=clock, **settings,
        )  # fmt: skip

    return train_with


@pytest.fixture(scope="module")
def timed(train_tiny: Train) -> TrainingResult:
    """Return a training of 12 seconds, which grew slower all the time."""
    return train_tiny(Budget(seconds=12.0), Clock(growth=1.03))


def figures(epochs: tuple[Epoch, ...]) -> list[Epoch]:
    return [replace(epoch, epoch_seconds=0.0) for epoch in epochs]


def assert_same(one: TrainingResult, other: TrainingResult) -> None:
    assert figures(one.epochs) == figures(other.epochs)
    assert one.steps == other.steps
    for ours, theirs in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def n_trained(result: TrainingResult) -> int:
    return int(np.asarray(result.network.optimizer.iterations))


def test_schedule_is_complete_when_the_seconds_are_over(timed: TrainingResult) -> None:
    assert timed.ending == Ending(Cause.COMPLETE)
    assert timed.train_seconds == pytest.approx(12 + 1, rel=0.08), "the first execution does not count"
    assert timed.steps.knots[-1] == (n_trained(timed), 1.0)
    assert len(timed.steps.knots) > 4
    assert timed.epochs[-1].learning_rate == pytest.approx(0, abs=1e-7)


def test_last_epoch_is_a_part_and_counts_like_any_other(timed: TrainingResult) -> None:
    assert 0 < n_trained(timed) % STEPS_PER_EPOCH < STEPS_PER_EPOCH
    assert [epoch.number for epoch in timed.epochs] == list(range(1, timed.steps.n_epochs + 1))
    assert timed.epochs[-1].is_validated
    assert timed.epochs[-1].share == 1.0
    ends = [min(number * STEPS_PER_EPOCH, n_trained(timed)) for number in range(1, len(timed.epochs) + 1)]
    assert [epoch.share for epoch in timed.epochs] == pytest.approx([timed.steps.share_at(end) for end in ends])
    assert timed.images_per_second == pytest.approx(1150 * n_trained(timed) / STEPS_PER_EPOCH / timed.train_seconds)


def test_learning_rate_goes_by_the_share_of_the_schedule(timed: TrainingResult) -> None:
    for epoch in timed.epochs[1:]:
        assert epoch.learning_rate == pytest.approx(0.05 * (1 - epoch.share) / 0.95, abs=1e-6)


def test_recorded_steps_repeat_the_training_to_the_bit(train_tiny: Train, timed: TrainingResult) -> None:
    again = train_tiny(Budget(steps=timed.steps), Clock(7.0, 3.0))

    assert_same(again, timed)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_other_schedules_are_repeated_to_the_bit_as_well(train_tiny: Train, schedule: str) -> None:
    knobs: dict[str, KnobValue] = {"learning_rate_schedule": schedule, "dropout_after_pool": 0.2, "optimizer": "adam"}
    first = train_tiny(Budget(seconds=6.0), Clock(growth=0.97), **knobs)

    assert_same(train_tiny(Budget(steps=first.steps), **knobs), first)


def test_training_is_resumed_in_the_middle_of_its_seconds(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_writer, "LEAST_WRITES_APART", math.nan)  # no time is as long
    clock = Clock()

    def pause(epoch: Epoch) -> Ending | None:
        clock.end_epoch(epoch)
        return Ending(Cause.PAUSED) if epoch.number == 2 else None

    first = train_tiny(Budget(seconds=20.0), clock, on_epoch=pause, checkpoint=CheckpointWriter(tmp_path / "a.npz"))
    checkpoint = read_checkpoint(tmp_path / "a.npz")
    rest = train_tiny(Budget(seconds=20.0), Clock(), resume_from=checkpoint)

    assert 0 < first.epochs[-1].share < 1
    assert first.steps.n_steps == 2 * STEPS_PER_EPOCH
    assert rest.train_seconds == pytest.approx(20 + 2, rel=0.08), "each of two processes compiles the network"
    assert rest.epochs[:2] == first.epochs
    assert rest.steps.until(2 * STEPS_PER_EPOCH) == first.steps
    assert rest.steps.knots[-1] == (n_trained(rest), 1.0)
    assert_same(train_tiny(Budget(steps=rest.steps)), rest)


def test_checkpoint_of_a_schedule_that_is_over_gives_its_result_at_once(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_writer, "LEAST_WRITES_APART", 0)
    first = train_tiny(Budget(seconds=3.0), checkpoint=CheckpointWriter(tmp_path / "a.npz"))

    again = train_tiny(Budget(seconds=3.0), resume_from=read_checkpoint(tmp_path / "a.npz"))

    assert again.ending == Ending(Cause.COMPLETE)
    assert_same(again, first)


def test_epochs_of_the_plan_end_the_schedule_before_the_seconds(train_tiny: Train) -> None:
    result = train_tiny(Budget(seconds=1000.0), epochs=2)

    assert result.steps.knots[-1] == (2 * STEPS_PER_EPOCH, 1.0)
    assert result.epochs[-1].learning_rate == pytest.approx(0, abs=1e-7)


def test_schedule_spans_the_epochs_of_the_budget(train_tiny: Train) -> None:
    result = train_tiny(Budget(epochs=2))

    assert result.steps == StepSchedule.of_epochs(2, STEPS_PER_EPOCH)
    assert [epoch.share for epoch in result.epochs] == [0.5, 1.0]
    assert result.epochs[-1].learning_rate == 0
    assert_same(result, train_tiny(Budget(steps=result.steps)))


def test_budget_is_the_whole_plan_where_none_is_given(train_tiny: Train) -> None:
    plain = train_tiny(Budget(), epochs=2)

    assert plain.steps == StepSchedule.of_epochs(2, STEPS_PER_EPOCH)
    assert plain.steps.is_whole(2)


def test_steps_of_other_epochs_end_with_an_execution(train_tiny: Train) -> None:
    result = train_tiny(Budget(steps=StepSchedule(100, ((0, 0.0), (50, 0.7), (110, 1.0)))))

    assert result.steps.steps_per_epoch == STEPS_PER_EPOCH
    n_steps = STEPS_PER_EPOCH + STEPS_AT_ONCE  # 157 steps are 110 / 100 epochs
    assert result.steps.knots == ((0, 0.0), (79, 0.7), (n_steps, 1.0))
    assert n_trained(result) == n_steps


def test_steps_are_squeezed_into_the_epochs_of_the_plan(train_tiny: Train) -> None:
    result = train_tiny(Budget(steps=StepSchedule.of_epochs(3, STEPS_PER_EPOCH)), epochs=1)

    assert result.steps == StepSchedule.of_epochs(1, STEPS_PER_EPOCH)


def test_early_stopping_ends_a_training_within_its_seconds(train_tiny: Train) -> None:
    still: dict[str, KnobValue] = {"learning_rate": 1e-7, "momentum": 0.0, "early_stopping_patience": 2}
    stopped = train_tiny(Budget(seconds=60.0), **still)

    assert stopped.ending.cause is Cause.EARLY
    assert stopped.steps.n_steps == len(stopped.epochs) * STEPS_PER_EPOCH
    assert stopped.steps.knots[-1][1] == stopped.epochs[-1].share < 1
    again = train_tiny(Budget(steps=stopped.steps), **still)
    assert_same(again, stopped)


def test_epoch_that_is_stopped_from_outside_is_not_counted(train_tiny: Train, digits: Split) -> None:
    clock = Clock()

    def stop(share: float) -> Ending | None:
        clock.end_batch(share)
        return Ending(Cause.TIME_UP) if clock.now > 107 else None

    configuration = Configuration(complete(TINY))
    result = train(
        build=configuration.bind(digits).build, plan=configuration.plan, data=digits, seed=5, clock=clock,
        metric=get_metric("val_accuracy"), budget=Budget(seconds=40.0), on_batch=stop, on_epoch=clock.end_epoch,
    )  # fmt: skip

    assert (len(result.epochs), result.ending) == (1, Ending(Cause.TIME_UP))
    assert result.steps.n_steps == STEPS_PER_EPOCH < n_trained(result)


def test_seconds_are_kept_without_validation(train_tiny: Train) -> None:
    result = train_tiny(Budget(seconds=8.0), metric=None)

    assert result.steps.knots[-1] == (n_trained(result), 1.0)
    assert result.best_epoch == result.epochs[-1]
