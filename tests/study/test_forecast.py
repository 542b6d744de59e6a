"""What is expected of longer trainings, by the training error that is left."""

from __future__ import annotations

import pytest

from pipeline.evaluation.paired import Difference
from pipeline.study.forecast import EXPONENT, Errors, fallen_share, forecast_difference

LEVEL = Difference(0.0, 0.01)


def test_validation_error_falls_by_a_share_of_the_training_error() -> None:
    errors = Errors(validation=0.25, training=0.1)
    assert errors.after(1.0) == 0.25
    assert errors.after(4.0) == pytest.approx(0.25 - 0.1 * (1 - 4**-EXPONENT))
    assert errors.after(1e12) == pytest.approx(0.15, abs=0.001)


def test_shorter_training_is_not_expected_to_be_better() -> None:
    assert Errors(0.25, 0.1).after(0.5) == 0.25
    assert fallen_share(0.5) == 0.0


def test_perfect_rung_has_an_error_that_can_be_compared() -> None:
    assert 0 < Errors(0.0, 0.0).after(16.0) < 1e-5


def test_of_two_that_are_level_the_one_that_fits_its_images_less_well_is_expected_to_be_ahead() -> None:
    slow, fast = Errors(0.25, 0.15), Errors(0.25, 0.05)
    found = forecast_difference(slow, fast, LEVEL, times_longer=10.0)
    assert found.is_forecast
    assert found.is_gain
    assert found.mean == pytest.approx(fast.after(10.0) - slow.after(10.0))
    assert found.standard_error == LEVEL.standard_error
    assert forecast_difference(slow, fast, LEVEL, times_longer=1.0).mean == 0.0
