"""Which models of a study are too many: by their number, and by their bytes."""

from __future__ import annotations

import pytest

from pipeline.study.model_limits import ModelLimits, TrialModel

# Numbers of trials by their losses: the best is 3, the worst 0.
MODELS = [TrialModel(trial, loss, n_bytes=100) for trial, loss in enumerate([0.9, 0.3, 0.5, 0.1])]


def surplus(limits: ModelLimits, models: list[TrialModel] = MODELS, other_bytes: int = 0) -> list[int]:
    return [model.trial for model in limits.surplus(models, other_bytes)]


@pytest.mark.parametrize(("most", "expected"), [(1, [0, 2, 1]), (2, [0, 2]), (4, []), (9, [])])
def test_all_but_the_best_are_too_many_and_the_worst_go_first(most: int, expected: list[int]) -> None:
    assert surplus(ModelLimits(most_models=most)) == expected


@pytest.mark.parametrize(
    ("most", "other", "expected"), [(400, 0, []), (399, 0, [0]), (300, 0, [0]), (300, 100, [0, 2]), (50, 0, [0, 2, 1])]
)
def test_bytes_of_all_else_count_and_the_best_model_always_stays(most: int, other: int, expected: list[int]) -> None:
    assert surplus(ModelLimits(most_bytes=most), other_bytes=other) == expected


def test_both_limits_hold_together() -> None:
    assert surplus(ModelLimits(most_models=3, most_bytes=200)) == [0, 2]
    assert surplus(ModelLimits(most_models=1, most_bytes=300)) == [0, 2, 1]


def test_model_that_stays_is_never_too_much_and_another_goes_for_its_bytes() -> None:
    models = [TrialModel(0, 0.9, 100, stays=True), *MODELS[1:]]
    assert surplus(ModelLimits(most_models=2), models) == [2]
    assert surplus(ModelLimits(most_bytes=300), models) == [2]


def test_of_equal_models_the_earlier_one_is_better() -> None:
    assert surplus(ModelLimits(most_models=1), [TrialModel(5, 0.5), TrialModel(4, 0.5)]) == [5]


def test_without_limits_nothing_is_too_much() -> None:
    assert surplus(ModelLimits()) == []
