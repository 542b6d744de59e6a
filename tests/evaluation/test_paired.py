"""Differences of two trainings on the same validation images."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.paired import Difference, image_scores, pack_scores, paired_difference, unpack_scores
from pipeline.evaluation.scores import Predictions

RIGHT = np.array([1, 1, 1, 0], np.float16)


def predictions(of_label: list[float]) -> Predictions:
    probabilities = np.array([[value, 1 - value] for value in of_label])
    return Predictions(probabilities, np.zeros(len(of_label), int), ("cat", "dog"))


def test_difference_of_accuracies_is_the_mean_over_images_and_positive_where_the_first_is_better() -> None:
    better = np.array([1, 1, 1, 1], np.float16)
    assert paired_difference(better, RIGHT).mean == 0.25
    assert paired_difference(RIGHT, better).mean == -0.25


def test_error_is_smaller_on_the_same_images_than_for_independent_means() -> None:
    rng = np.random.default_rng(0)
    theirs = (rng.random(1000) < 0.7).astype(np.float16)
    ours = theirs.copy()
    ours[np.flatnonzero(theirs == 0)[:20]] = 1
    difference = paired_difference(ours, theirs)
    independent = np.sqrt(2 * 0.7 * 0.3 / 1000)
    assert difference.mean == pytest.approx(0.02)
    assert difference.standard_error < independent / 3
    assert difference.is_gain


def test_difference_within_its_error_is_no_gain_and_no_loss() -> None:
    ours, theirs = np.array([1, 0, 1, 0, 1], np.float16), np.array([0, 1, 1, 0, 1], np.float16)
    difference = paired_difference(ours, theirs)
    assert not difference.is_gain
    assert difference.is_within_error


def test_scores_of_the_loss_are_higher_where_the_label_is_more_probable_and_finite_where_it_is_impossible() -> None:
    sure, unsure, wrong = image_scores(predictions([0.9, 0.6, 0.0]), "val_loss")
    assert sure > unsure > wrong
    assert np.isfinite(wrong)


def test_scores_of_the_accuracy_are_right_or_wrong() -> None:
    assert image_scores(predictions([0.9, 0.4]), "val_accuracy").tolist() == [1.0, 0.0]


def test_packed_scores_are_the_same_and_short() -> None:
    scores = (np.random.default_rng(0).random(5000) < 0.8).astype(np.float16)
    text = pack_scores(scores)
    assert np.array_equal(unpack_scores(text), scores)
    assert len(text) < 2000


def test_difference_reads_in_points() -> None:
    assert str(paired_difference(np.ones(100, np.float16), np.zeros(100, np.float16))) == "+100.0 ± 0.0 points"


@pytest.mark.parametrize(
    ("mean", "is_likely", "is_gain"), [(0.004, False, False), (0.006, True, False), (0.011, True, True)]
)
def test_half_a_standard_error_makes_a_lead_likely_and_a_whole_one_a_gain(
    mean: float, is_likely: bool, is_gain: bool
) -> None:
    difference = Difference(mean, 0.01)
    assert (difference.is_likely, difference.is_gain) == (is_likely, is_gain)
