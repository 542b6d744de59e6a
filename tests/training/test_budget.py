"""Schedules of steps and budgets, as values."""

from __future__ import annotations

import json
import pickle

import pytest

from pipeline.training.budget import Budget, StepSchedule

BENT = StepSchedule(10, ((0, 0.0), (5, 0.1), (20, 0.5), (25, 1.0)))


def test_share_is_on_straight_lines_between_the_knots() -> None:
    assert [BENT.share_at(step) for step in (0, 1, 5, 8, 20, 24, 25, 99)] == pytest.approx(
        [0, 0.02, 0.1, 0.18, 0.5, 0.9, 1, 1]
    )


def test_schedule_counts_steps_and_begun_epochs() -> None:
    assert (BENT.n_steps, BENT.n_epochs) == (25, 3)
    assert (StepSchedule.of_epochs(3, 10).n_steps, StepSchedule.of_epochs(3, 10).n_epochs) == (30, 3)


def test_schedule_is_read_from_json_as_it_was_written() -> None:
    thirds = StepSchedule(7, ((0, 0.0), (7, 1 / 3), (14, 0.1 + 0.2)))

    assert StepSchedule.from_dict(json.loads(json.dumps(thirds.to_dict()))) == thirds


def test_longer_epochs_keep_the_positions_in_epochs() -> None:
    assert BENT.at(20) == StepSchedule(20, ((0, 0.0), (10, 0.1), (40, 0.5), (50, 1.0)))
    assert BENT.at(10) is BENT


def test_much_shorter_epochs_leave_each_step_one_knot() -> None:
    assert BENT.at(1) == StepSchedule(1, ((0, 0.0), (2, 1.0)))
    assert StepSchedule(100, ((0, 0.0), (10, 0.5), (20, 1.0))).at(1).n_steps == 1


def test_schedule_is_squeezed_into_fewer_steps() -> None:
    assert BENT.ending_at(10) == StepSchedule(10, ((0, 0.0), (2, 0.1), (8, 0.5), (10, 1.0)))


def test_first_part_of_a_schedule_keeps_its_shares() -> None:
    part = BENT.until(8)

    assert part.knots == ((0, 0.0), (5, 0.1), (8, pytest.approx(0.18)))
    assert BENT.until(25) is BENT
    assert BENT.until(0).knots == ((0, 0.0),)


def test_whole_epochs_and_their_first_part_are_told_from_a_schedule_of_its_own() -> None:
    whole = StepSchedule.of_epochs(3, 10)

    assert whole.is_whole(3)
    assert whole.until(10).is_whole(3)
    assert not whole.is_whole(4)
    assert not BENT.is_whole(3)


@pytest.mark.parametrize(
    ("budget", "n_epochs"),
    [(Budget(), 9), (Budget(epochs=4), 4), (Budget(epochs=20), 9), (Budget(seconds=1.0), 9), (Budget(steps=BENT), 3)],
    ids=str,
)
def test_epochs_of_the_plan_are_the_most(budget: Budget, n_epochs: int) -> None:
    assert budget.n_epochs(9) == n_epochs


def test_budget_is_hashed_and_pickled() -> None:
    budget = Budget(steps=BENT)

    assert pickle.loads(pickle.dumps(budget)) == budget
    assert len({budget, Budget(steps=BENT), Budget()}) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": BENT, "epochs": 3}, "a budget of steps stands alone"),
        ({"epochs": 0}, "a budget's epochs must be 1 or more, got 0"),
        ({"seconds": 0.0}, "a budget's seconds must be a number above 0, got 0.0"),
        ({"seconds": float("nan")}, "a budget's seconds must be a number above 0, got nan"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**values)  # type: ignore[arg-type]
