"""What is expected of longer trainings, by the errors on two rungs."""

from __future__ import annotations

import pytest

from pipeline.evaluation.paired import Difference
from pipeline.study.forecast import DAMPING, Fall, forecast_difference

HERE = Difference(0.0, 0.01)


def test_error_falls_on_as_a_power_of_time_damped() -> None:
    fall = Fall(short=0.4, long=0.2, ratio=4)
    assert fall.exponent == pytest.approx(0.5)
    assert fall.after(1.0) == 0.2
    assert fall.after(4.0) == pytest.approx(0.2 * 4 ** (-0.5 * DAMPING))


def test_error_that_grew_is_not_expected_to_fall() -> None:
    assert Fall(short=0.2, long=0.3, ratio=4).after(16.0) == 0.3


def test_perfect_rung_has_an_error_that_can_be_compared() -> None:
    assert 0 < Fall(short=0.1, long=0.0, ratio=4).after(16.0) < 1e-5


def test_one_that_falls_faster_is_expected_to_be_better_in_the_end() -> None:
    slow, fast = Fall(0.5, 0.26, ratio=4), Fall(0.34, 0.26, ratio=4)
    found = forecast_difference(slow, fast, short=HERE, long=HERE, times_longer=12.0)
    assert found.is_forecast
    assert found.is_gain
    assert not forecast_difference(slow, fast, short=HERE, long=HERE, times_longer=1.0).is_gain


def test_further_away_the_forecast_is_less_certain() -> None:
    falls = Fall(0.5, 0.26, ratio=4), Fall(0.34, 0.26, ratio=4)
    errors = [
        forecast_difference(*falls, short=HERE, long=HERE, times_longer=longer).standard_error / 0.26
        for longer in (1.0, 4.0, 16.0)
    ]
    assert errors[0] == pytest.approx(0.01 / 0.26)
    assert errors == sorted(errors)
