"""A schedule within seconds, followed by a clock that only what is simulated moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from pipeline.training.speed import Speed
from pipeline.training.timed_scheduler import TimedScheduler

STEPS_PER_EPOCH = 98


@dataclass
class Simulation:
    """A training of given costs: seconds of tracing, of a step (by the seconds that have gone), of validation.

    The first validation is traced as well.
    """

    seconds: float
    step_seconds: Callable[[float], float] = lambda now: 0.1
    validation_seconds: float = 1.0
    tracing_seconds: float = 5.0
    begin_seconds: float = 0.0
    most_epochs: int = 1000
    steps_per_execution: int = 8
    now: float = 0.0
    is_traced: bool = False
    epoch_ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = TimedScheduler(
            STEPS_PER_EPOCH, self.steps_per_execution, most_steps=self.most_epochs * STEPS_PER_EPOCH,
            speed=Speed(self.seconds, 0.2, STEPS_PER_EPOCH, lambda: self.now),
        )  # fmt: skip

    def run(self) -> TimedScheduler:
        while not self.scheduler.is_over:
            self.run_epoch()
        return self.scheduler

    def run_epoch(self) -> None:
        first = self.scheduler.n_done
        self.scheduler.begin_epoch()
        self.now += self.begin_seconds
        while self.scheduler.n_done < first + STEPS_PER_EPOCH and not self.scheduler.is_over:
            n_steps = min(self.steps_per_execution, first + STEPS_PER_EPOCH - self.scheduler.n_done)
            self.now += n_steps * self.step_seconds(self.now) + (0 if self.is_traced else self.tracing_seconds)
            self.is_traced = True
            self.scheduler.advance(self.scheduler.n_done + n_steps)
        self.now += self.validation_seconds + (0 if self.epoch_ends else self.tracing_seconds / 4)
        self.epoch_ends.append(self.scheduler.n_done)

    @property
    def seconds_of_budget(self) -> float:
        """What was used, the first execution left out."""
        return self.now - self.tracing_seconds - self.steps_per_execution * self.step_seconds(0)


def slower(now: float) -> float:
    return 0.1 if now < 60 else 0.3


def faster(now: float) -> float:
    return 0.1 if now < 60 else 0.03


def unsteady(now: float) -> float:
    return 0.1 * (1.5 if int(now) % 7 < 3 else 0.7)


@pytest.mark.parametrize("step_seconds", [lambda now: 0.1, slower, faster, unsteady], ids=lambda one: one.__name__)
@pytest.mark.parametrize("seconds", [30, 100, 400])
def test_schedule_ends_with_the_seconds_whatever_the_speed(
    seconds: float, step_seconds: Callable[[float], float]
) -> None:
    simulation = Simulation(seconds, step_seconds)

    steps = simulation.run().steps

    assert steps.knots[-1] == (simulation.scheduler.n_done, 1.0)
    assert simulation.seconds_of_budget == pytest.approx(seconds, rel=0.06 if seconds < 50 else 0.03)


@pytest.mark.parametrize("seconds", [0.01, 3, 30, 100, 400, 4000])
@pytest.mark.parametrize("validation_seconds", [0.0, 1.0, 20.0])
def test_share_rises_from_0_to_1_in_at_most_200_knots(seconds: float, validation_seconds: float) -> None:
    knots = Simulation(seconds, unsteady, validation_seconds).run().steps.knots

    assert knots[0] == (0, 0.0)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(knots))
    assert knots[-1][1] == 1.0
    assert len(knots) <= 200


def test_knots_lie_closest_at_beginning_and_end() -> None:
    knots = Simulation(4000).run().steps.knots

    gaps = [b[0] - a[0] for a, b in pairwise(knots)]
    middle = gaps[len(gaps) // 2]
    assert max(gaps[0], gaps[-1]) <= 8 < middle
    assert middle == pytest.approx(0.01 * knots[-1][0], rel=0.1)


def test_share_advances_evenly_where_the_speed_is_even() -> None:
    scheduler = Simulation(400).run()

    n = scheduler.n_done
    assert all(scheduler.steps.share_at(step) == pytest.approx(step / n, abs=0.02) for step in range(n))


def test_epochs_of_the_plan_are_the_most() -> None:
    simulation = Simulation(4000, most_epochs=3)

    scheduler = simulation.run()

    assert scheduler.n_done == 3 * STEPS_PER_EPOCH
    assert all(share == pytest.approx(step / scheduler.n_done) for step, share in scheduler.knots)


def test_last_epoch_may_be_a_part_but_no_tiny_one() -> None:
    parts = set()
    for tenths in range(300, 1300, 7):
        simulation = Simulation(tenths / 10)
        simulation.run()
        parts.add(simulation.epoch_ends[-1] - simulation.epoch_ends[-2])

    assert min(parts) >= 0.05 * STEPS_PER_EPOCH
    assert len(parts) > 5, "for this test"


def test_training_that_has_no_seconds_left_ends_with_the_next_execution() -> None:
    scheduler = Simulation(0.01).run()

    assert scheduler.n_done <= 3 * 8


def test_slow_beginning_of_an_epoch_is_not_taken_for_slow_steps() -> None:
    simulation = Simulation(100, begin_seconds=3.0)

    simulation.run()

    assert simulation.seconds_of_budget - 3 == pytest.approx(100, rel=0.03), "the first execution does not count"
    assert simulation.scheduler.speed.step_seconds == pytest.approx(0.1)


def test_training_goes_on_with_the_seconds_that_are_left() -> None:
    before = Simulation(100)
    for _ in range(3):
        before.run_epoch()
    after = Simulation(100)

    after.scheduler.continue_from(before.scheduler.steps, before.scheduler.n_done, before.scheduler.seconds_used)
    after.run()

    assert before.scheduler.share < 0.5
    assert before.seconds_of_budget + after.seconds_of_budget == pytest.approx(100, rel=0.03)
    assert after.scheduler.knots[: len(before.scheduler.knots)] == before.scheduler.knots
    assert after.scheduler.knots[-1] == (after.scheduler.n_done, 1.0)


def test_first_validation_is_reserved_for_before_it_was_measured() -> None:
    simulation = Simulation(9)

    simulation.run()

    assert len(simulation.epoch_ends) == 1
    assert 8 < simulation.seconds_of_budget < 9
