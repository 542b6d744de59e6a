"""Intervals, spreads and tests against published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluation.scores import Predictions
from pipeline.evaluation.uncertainty import (
    PairedTest,
    Scores,
    Share,
    is_inside_noise,
    paired_test,
    share_right,
    standard_error,
)


def predictions(answers: list[int], labels: list[int]) -> Predictions:
    return Predictions(np.eye(3)[answers], np.array(labels), ("cat", "dog", "eel"))


@pytest.mark.parametrize(
    ("n_right", "n_images", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_is_that_of_newcombe_s_table(n_right: int, n_images: int, low: float, high: float) -> None:
    assert Share(n_right, n_images).interval == pytest.approx((low, high), abs=5e-5)


def test_interval_of_a_perfect_score_ends_at_1() -> None:
    low, high = Share(360, 360).interval

    assert (low, high) == (pytest.approx(360 / (360 + 1.959964**2)), 1.0)


def test_share_counts_the_right_answers() -> None:
    assert share_right(predictions([0, 1, 1, 2], [0, 1, 2, 2])) == Share(3, 4)


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
    scores = Scores((0.90, 0.92, 0.94))

    assert (scores.mean, scores.spread) == (pytest.approx(0.92), pytest.approx(0.02))


def test_lead_inside_the_standard_error_of_the_difference_is_noise() -> None:
    one, other = Scores((0.90, 0.92, 0.94)), Scores((0.89, 0.91, 0.93))

    assert standard_error((one, other)) == pytest.approx(math.sqrt(2 * 0.02**2 / 3))
    assert is_inside_noise(one, other)
    assert not is_inside_noise(one, Scores((0.87, 0.89, 0.91)))


def test_scores_of_one_seed_show_no_spread_and_so_are_noise() -> None:
    assert Scores((0.9,)).spread == 0
    assert is_inside_noise(Scores((0.9,)), Scores((0.1, 0.2)))
