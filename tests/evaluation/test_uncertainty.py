"""Intervals, spreads and tests against published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluation.scores import Predictions
from pipeline.evaluation.uncertainty import (
    PairedTest,
    paired_test,
    score_interval,
    seed_spread,
    standard_error_of_difference,
)


def predictions(answers: list[int], labels: list[int]) -> Predictions:
    return Predictions(np.eye(3)[answers], np.array(labels), ("cat", "dog", "eel"))


@pytest.mark.parametrize(
    ("n_right", "n_images", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_is_that_of_newcombe_s_table(n_right: int, n_images: int, low: float, high: float) -> None:
    assert score_interval(n_right, n_images) == pytest.approx((low, high), abs=5e-5)


def test_interval_of_a_perfect_score_ends_at_1() -> None:
    low, high = score_interval(360, 360)

    assert (low, high) == (pytest.approx(360 / (360 + 1.959964**2)), 1.0)


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert predictions([0, 1, 1, 2], [0, 1, 2, 2]).accuracy == 0.75


@pytest.mark.parametrize(
    ("ours", "theirs", "p_value", "is_won"),
    [(8, 2, 56 / 1024, False), (9, 1, 11 / 1024, True), (1, 9, 1023 / 1024, False), (0, 0, 1.0, False)],
)
def test_paired_test_is_the_exact_sign_test_of_discordant_images(
    ours: int, theirs: int, p_value: float, is_won: bool
) -> None:
    test = PairedTest(ours, theirs)

    assert test.p_value == pytest.approx(p_value)
    assert test.is_won is is_won


def test_paired_test_counts_the_images_that_one_alone_gets_right() -> None:
    candidate, champion = predictions([0, 1, 2, 0], [0, 1, 2, 2]), predictions([0, 0, 0, 2], [0, 1, 2, 2])

    assert paired_test(candidate, champion) == PairedTest(2, 1)


def test_spread_is_the_standard_deviation_of_a_sample() -> None:
    assert seed_spread((0.90, 0.92, 0.94)) == pytest.approx(0.02)
    assert seed_spread((0.9,)) == 0


def test_standard_error_of_the_difference_is_that_of_unlike_spreads() -> None:
    assert standard_error_of_difference((0.90, 0.92, 0.94), (0.89, 0.91, 0.93)) == pytest.approx(
        math.sqrt(2 * 0.02**2 / 3)
    )
    assert standard_error_of_difference((0.90, 0.92, 0.94), (0.1, 0.5)) == pytest.approx(
        math.sqrt(0.02**2 / 3 + 0.08 / 2)
    )


def test_scores_of_one_seed_have_no_standard_error() -> None:
    assert standard_error_of_difference((0.9,), (0.1, 0.2)) == math.inf
