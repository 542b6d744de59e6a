"""Pruning within a rung compares curves at equal shares of their schedules."""

from __future__ import annotations

import pytest
from simulation import fit_of

from pipeline.study.fits import Curve
from pipeline.study.pruners import make_pruner
from pipeline.study.rung_pruning import RungPruning
from pipeline.training.metric import get_metric

SURVIVOR: Curve = [(0.25, 0.4), (0.5, 0.6), (0.75, 0.7), (1.0, 0.8)]


def pruning(pruner: str = "reachable", *, metric: str = "val_accuracy", survivor: Curve = SURVIVOR) -> RungPruning:
    return RungPruning(get_metric(metric), make_pruner(pruner, max_steps=20), [fit_of({}, curve=survivor)])


def is_stopped(judge: RungPruning, curve: Curve) -> bool:
    return any(judge.is_hopeless(1, curve[: end + 1]) for end in range(len(curve)))


def test_training_far_below_the_survivors_at_half_of_its_schedule_is_stopped() -> None:
    assert is_stopped(pruning(), [(0.25, 0.1), (0.5, 0.15), (0.75, 0.2)])


def test_training_that_can_catch_up_is_not_stopped() -> None:
    assert not is_stopped(pruning(), [(0.25, 0.1), (0.5, 0.45), (0.75, 0.6), (1.0, 0.7)])


def test_epochs_that_end_at_other_shares_are_compared_by_interpolation() -> None:
    assert is_stopped(pruning(), [(0.4, 0.1), (0.8, 0.12)])
    assert not is_stopped(pruning(), [(0.4, 0.5), (0.8, 0.7)])


def test_nothing_is_stopped_at_the_end_of_its_schedule_or_without_survivors() -> None:
    assert not pruning().is_hopeless(1, [(0.3, 0.1), (1.0, 0.1)])
    alone = RungPruning(get_metric("val_accuracy"), make_pruner("reachable", max_steps=20), [])
    assert not is_stopped(alone, [(0.25, 0.1), (0.5, 0.1)])


def test_lower_losses_are_better() -> None:
    falling: Curve = [(share, 2 - value) for share, value in SURVIVOR]
    judge = pruning(metric="val_loss", survivor=falling)
    assert is_stopped(judge, [(0.25, 2.3), (0.5, 2.2)])
    assert not judge.is_hopeless(2, [(0.25, 1.7), (0.5, 1.45)])


@pytest.mark.parametrize("pruner", ["median", "percentile", "successive_halving", "hyperband", "patient", "none"])
def test_pruners_of_optuna_judge_shares_of_a_schedule(pruner: str) -> None:
    good = [fit_of({}, curve=[(share, value + 0.001 * n) for share, value in SURVIVOR]) for n in range(8)]
    judge = RungPruning(get_metric("val_accuracy"), make_pruner(pruner, max_steps=20), good)
    assert is_stopped(judge, [(0.1 * n, 0.1 - 0.001 * n) for n in range(1, 10)]) == (pruner != "none")


def test_folds_are_steps_of_their_own() -> None:
    survivor = fit_of({}, curve=[(n / 5, 0.9) for n in range(1, 6)])
    judge = RungPruning(get_metric("val_accuracy"), make_pruner("wilcoxon", max_steps=5), [survivor], n_steps=5)
    assert not judge.is_hopeless(1, [(0.2, 0.1)])
    assert is_stopped(judge, [(n / 5, 0.1 + 0.01 * n) for n in range(1, 5)])


def test_of_many_survivors_the_best_still_counts() -> None:
    poor = [(share, 0.1) for share in (0.25, 0.5, 0.75, 1.0)]
    survivors = [fit_of({}, curve=SURVIVOR), *(fit_of({}, curve=poor) for _ in range(60))]
    judge = RungPruning(get_metric("val_accuracy"), make_pruner("reachable", max_steps=20), survivors)
    assert is_stopped(judge, [(0.25, 0.1), (0.5, 0.15), (0.75, 0.2)])
    assert not is_stopped(
        RungPruning(get_metric("val_accuracy"), make_pruner("reachable", max_steps=20), survivors[1:]),
        [(0.25, 0.1), (0.5, 0.15), (0.75, 0.2)],
    )
