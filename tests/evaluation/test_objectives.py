"""Objectives, limits and latency, from figures alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pipeline.evaluation.latency import measure_latency
from pipeline.evaluation.limits import Limits
from pipeline.evaluation.objectives import OBJECTIVES, ParetoFront, get_objectives
from pipeline.settings import OBJECTIVES as NAMES

SETTINGS = {"objectives": "val_accuracy,n_parameters", "max_parameters": "none", "max_latency_ms": "none"}


def figures(accuracy: float, n_parameters: float, **others: float) -> dict[str, float]:
    return {"best_val_accuracy": accuracy, "n_parameters": n_parameters, **others}


def front_of(**changes: str) -> ParetoFront:
    front = ParetoFront.of({**SETTINGS, **changes})
    assert front is not None
    return front


def test_table_holds_the_objectives_that_the_settings_know() -> None:
    assert tuple(OBJECTIVES) == NAMES


def test_front_has_those_that_no_other_beats() -> None:
    trainings = [figures(0.9, 500), figures(0.8, 100), figures(0.85, 600), figures(0.8, 90), figures(0.95, 9000)]
    assert front_of().members(trainings) == [True, False, False, True, True]


def test_equal_trainings_are_both_on_the_front() -> None:
    assert front_of().members([figures(0.9, 500), figures(0.9, 500), figures(0.9, 501)]) == [True, True, False]


def test_training_without_a_figure_is_not_on_the_front_and_beats_no_other() -> None:
    assert front_of().members([{"n_parameters": 1}, figures(0.5, 2)]) == [False, True]


def test_training_over_a_limit_is_not_on_the_front_and_beats_no_other() -> None:
    slow, fast = figures(0.9, 100, latency_ms=9.0), figures(0.8, 200, latency_ms=4.0)
    assert front_of(max_latency_ms="5").members([slow, fast]) == [False, True]
    assert front_of(max_parameters="150").members([slow, fast]) == [True, False]


@pytest.mark.parametrize("objectives", ["auto", "val_loss"])
def test_single_objective_has_no_front(objectives: str) -> None:
    assert ParetoFront.of({**SETTINGS, "objectives": objectives}) is None
    assert ParetoFront.of({}) is None


def test_loss_is_less_where_an_objective_is_better() -> None:
    accuracy, size = get_objectives(["val_accuracy", "n_parameters"])
    assert accuracy.loss_of(figures(0.9, 1)) < accuracy.loss_of(figures(0.8, 1))
    assert size.loss_of(figures(0.9, 1)) < size.loss_of(figures(0.9, 2))


def test_violation_names_figure_and_limit_and_what_was_not_measured_keeps_it() -> None:
    limits = Limits(max_parameters=1000, max_latency_ms=2.5)
    assert limits.violation(figures(0.9, 1200)) == "n_parameters 1200 is above max_parameters 1000"
    assert limits.violation({"latency_ms": 3}) == "latency_ms 3 is above max_latency_ms 2.5"
    assert limits.violation({"latency_ms": 2.5, "n_parameters": 1000}) is None
    assert limits.violation({}) is None
    assert Limits().violation(figures(0.9, 10**9)) is None


def test_latency_is_the_median_of_single_images_without_the_first_calls() -> None:
    seen: list[tuple[int, ...]] = []

    def predict(image: np.ndarray) -> None:
        seen.append(image.shape)
        time.sleep(0.1 if len(seen) <= 2 or len(seen) == 20 else 0.002)

    assert 2 <= measure_latency(predict, np.zeros((3, 8, 8, 1))) < 20
    assert set(seen) == {(1, 8, 8, 1)}
