"""The folds of a training as they come: which count, what they come to, and what the run hears of them."""

from __future__ import annotations

from statistics import stdev
from typing import Any

import numpy as np
import pytest

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.partition import Partition
from pipeline.data.source import Split
from pipeline.tracking.curve_log import CurveLog
from pipeline.tracking.names import State
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.workers.fitting import outcome_of
from pipeline.workers.folds import Folds

IMAGES = np.zeros((4, 8, 8, 1), np.uint8)
SET = ImageSet("made", "made", IMAGES, np.array([0, 1, 0, 1]), ("cat", "dog"))
SPLIT = Split(SET, Partition(np.array([], int), np.arange(4)), "digest")


class Network:
    """Says ``cat`` of everything, and has a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, images: Array, training: bool) -> Array:
        return np.tile([0.9, 0.1], (len(images), 1))


class Renaming(BoundConfiguration):
    """Finishes a network by renaming it."""

    def finish(self, trained: Any) -> Any:
        return f"finished {trained.name}"


def epochs_of(accuracies: list[float]) -> tuple[Epoch, ...]:
    return tuple(Epoch(n, 1.0, 0.5, 2 - value, value, 0.1, 1.0) for n, value in enumerate(accuracies, start=1))


def training(name: str, accuracies: list[float], cause: Cause = Cause.COMPLETE) -> TrainingResult:
    epochs = epochs_of(accuracies)
    best = max(epochs, key=lambda epoch: epoch.val_accuracy, default=None)
    ending = Ending(cause, "" if cause is Cause.COMPLETE else "because")
    return TrainingResult(Network(name), epochs, best, ending, 2.0, 50.0 * len(epochs))


def gather(
    *trainings: TrainingResult, n_folds: int = 3, judge: Any = lambda fold, best: None, metric: str = "val_accuracy"
) -> Folds:
    folds = Folds(n_folds, get_metric(metric), judge)
    for result in trainings:
        assert not folds.is_over
        folds.take(result, Renaming.on_images(SPLIT, lambda precision: None))
    return folds


THREE = (training("a", [0.5, 0.7]), training("b", [0.6, 0.9, 0.8], Cause.EARLY), training("c", [0.4, 0.5]))


def test_value_of_a_trial_is_the_mean_of_the_best_epochs_of_its_folds() -> None:
    outcome = outcome_of(gather(*THREE))
    assert outcome.best is not None
    assert outcome.state is State.COMPLETE
    assert outcome.best.val_accuracy == pytest.approx((0.7 + 0.9 + 0.5) / 3)
    assert outcome.best.val_loss == pytest.approx((1.3 + 1.1 + 1.5) / 3)
    assert outcome.best.number == 2


def test_figures_of_folds_have_spread_and_count() -> None:
    figures = gather(*THREE).assessment().figures()
    assert figures["best_val_accuracy_sd"] == pytest.approx(stdev([0.7, 0.9, 0.5]))
    assert (figures["n_folds"], figures["train_seconds"]) == (3, 6.0)
    assert figures["images_per_second"] == pytest.approx((100 + 150 + 100) / 3)


def test_figures_of_a_single_split_have_neither_spread_nor_count() -> None:
    assessment = gather(THREE[0], n_folds=1).assessment()
    assert list(assessment.figures()) == [
        "best_val_accuracy", "best_val_loss", "best_epoch", "train_seconds", "images_per_second",
    ]  # fmt: skip
    assert assessment.figures()["best_val_accuracy"] == 0.7
    assert assessment.provenance() == {}


def test_spread_of_one_fold_is_left_out() -> None:
    figures = gather(THREE[0], training("b", [0.2], Cause.TIME_UP)).assessment().figures()
    assert "best_val_accuracy_sd" not in figures
    assert figures["n_folds"] == 1


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", "b"), ("val_loss", "b")])
def test_network_of_the_best_fold_is_kept_and_no_other(metric: str, best: str) -> None:
    folds = gather(*THREE, metric=metric)
    assert folds.network == f"finished {best}"
    assert folds.assessment().provenance() == {"fold": 2, "n_folds": 3}
    assert [fold.result.network for fold in folds.assessment().folds] == [None] * 3


def test_predictions_are_those_of_all_folds_one_after_another() -> None:
    assessment = gather(*THREE).assessment()
    assert assessment.predictions.labels.tolist() == [0, 1, 0, 1] * 3
    assert assessment.predictions.probabilities.shape == (12, 2)
    assert assessment.images.shape == (12, 8, 8, 1)


def test_time_up_in_the_second_fold_prunes_with_what_the_first_has() -> None:
    folds = gather(THREE[0], training("b", [0.99], Cause.TIME_UP))
    outcome = outcome_of(folds)
    assert (outcome.state, outcome.is_cut_off) == (State.PRUNED, False)
    assert outcome.reason == "time up: because, fold 2 of 3"
    assert outcome.best == THREE[0].best_epoch
    assert folds.network == "finished a"


def test_time_up_in_the_first_fold_is_tried_again_whatever_its_epochs() -> None:
    outcome = outcome_of(gather(training("a", [0.5, 0.6], Cause.TIME_UP)))
    assert (outcome.state, outcome.is_cut_off, outcome.best) == (State.FAIL, True, None)
    assert outcome.reason == "time up before the first fold was over"


def test_time_up_in_a_single_split_prunes_with_the_epochs_that_it_has() -> None:
    outcome = outcome_of(gather(training("a", [0.5, 0.6], Cause.TIME_UP), n_folds=1))
    assert (outcome.state, outcome.is_cut_off) == (State.PRUNED, False)
    assert outcome.best is not None
    assert outcome.best.val_accuracy == 0.6


@pytest.mark.parametrize(
    ("cause", "state", "again"),
    [(Cause.INTERRUPTED, State.FAIL, True), (Cause.DIVERGED, State.PRUNED, False)],
    ids=["interrupted", "diverged"],
)
def test_ending_of_a_later_fold_ends_the_trial(cause: Cause, state: State, again: bool) -> None:
    folds = gather(THREE[0], training("b", [], cause))
    outcome = outcome_of(folds)
    assert folds.is_over
    assert (outcome.state, outcome.is_cut_off) == (state, again)
    assert outcome.reason == f"{cause}: because, fold 2 of 3"


def test_reason_to_prune_after_a_fold_ends_the_trial() -> None:
    heard: list[tuple[int, float]] = []

    def judge(fold: int, best: Epoch) -> str | None:
        heard.append((fold, best.val_accuracy))
        return "worse than the best" if fold == 2 else None

    folds = gather(*THREE[:2], judge=judge)
    assert folds.is_over
    assert heard == [(1, 0.7), (2, 0.9)]
    assert (outcome_of(folds).state, outcome_of(folds).reason) == (State.PRUNED, "pruned: worse than the best")


def test_fold_that_did_not_finish_is_not_judged() -> None:
    heard: list[int] = []
    gather(training("a", [0.5], Cause.TIME_UP), judge=lambda fold, best: heard.append(fold))
    assert heard == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def run(store: TrackingStore) -> TrainingRun:
    return TrainingRun.start(store, experiment_id="0", parent_run_id="0" * 32, name="t", tags={}, parameters={})


def log(run: TrainingRun, *curves: list[float], n_folds: int, n_finished: int) -> dict[str, list[tuple[int, float]]]:
    """Log the validation accuracies of folds; return the steps and values of each metric that the run then has."""
    curve_log = CurveLog(run, n_folds)
    for accuracies in curves:
        curve_log.begin_fold()
        for epoch in epochs_of(accuracies):
            curve_log.log(epoch)
    curve_log.close(n_finished)
    run.flush()
    client = run.store.client
    found = client.get_run(run.run_id).data.metrics
    history = {name: client.get_metric_history(run.run_id, name) for name in found}
    return {name: [(point.step, round(point.value, 6)) for point in points] for name, points in history.items()}


PLAIN = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"}


def test_single_split_is_logged_under_the_plain_names_alone(run: TrainingRun) -> None:
    logged = log(run, [0.5, 0.6], n_folds=1, n_finished=1)
    assert set(logged) == PLAIN
    assert logged["val_accuracy"] == [(1, 0.5), (2, 0.6)]


def test_each_fold_has_its_curves_and_their_mean_has_the_plain_names(run: TrainingRun) -> None:
    logged = log(run, [0.2, 0.4], [0.4, 0.8], n_folds=2, n_finished=2)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    assert set(logged) == PLAIN | {f"fold_{fold}_{name}" for fold in (1, 2) for name in names}
    assert logged["fold_1_val_accuracy"] == [(1, 0.2), (2, 0.4)]
    assert logged["fold_2_val_accuracy"] == [(1, 0.4), (2, 0.8)]
    assert logged["val_accuracy"] == [(1, 0.3), (2, 0.6)]


def test_mean_goes_as_far_as_all_folds(run: TrainingRun) -> None:
    logged = log(run, [0.2, 0.4], [0.4], [0.6, 0.8, 0.9], n_folds=3, n_finished=3)
    assert logged["val_accuracy"] == [(1, 0.4)]
    assert [step for step, _ in logged["fold_3_val_accuracy"]] == [1, 2, 3]


def test_mean_of_a_trial_that_ended_early_is_that_of_its_finished_folds(run: TrainingRun) -> None:
    logged = log(run, [0.2, 0.4], [0.4, 0.8], [0.9], n_folds=5, n_finished=2)
    assert logged["val_accuracy"] == [(1, 0.3), (2, 0.6)]


def test_mean_is_logged_once_an_epoch_where_the_last_fold_is_cut_off(run: TrainingRun) -> None:
    logged = log(run, [0.2, 0.4], [0.4, 0.8], [0.9], n_folds=3, n_finished=2)
    assert logged["val_accuracy"] == [(1, 0.5), (2, 0.6)]
