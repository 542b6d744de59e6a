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
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.budget import StepSchedule
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.workers.folds import Folds

IMAGES = np.zeros((4, 8, 8, 1), np.uint8)
SET = ImageSet("made", "made", IMAGES, np.array([0, 1, 0, 1]), ("cat", "dog"))
SPLIT = Split(SET, Partition(np.arange(4), np.arange(4)), "digest")


class Network:
    """Says ``cat`` of everything, and has a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, images: Array, training: bool) -> Array:
        return np.tile([0.9, 0.1], (len(images), 1))


class NamedConfiguration(BoundConfiguration):
    """Finishes a network by renaming it."""

    def finish(self, trained: Any) -> Any:
        return f"finished {trained.name}"


def ends(folds: Folds) -> tuple[Ending, Epoch | None]:
    outcome = folds.outcome()
    return outcome.ending, outcome.best


def epochs_of(accuracies: list[float]) -> tuple[Epoch, ...]:
    return tuple(Epoch(n, 1.0, 0.5, 2 - value, value, 0.1, 1.0, 0.1 * n) for n, value in enumerate(accuracies, start=1))


def training(name: str, accuracies: list[float], cause: Cause = Cause.COMPLETE) -> TrainingResult:
    epochs = epochs_of(accuracies)
    best = max(epochs, key=lambda epoch: epoch.val_accuracy, default=None)
    ending = Ending(cause, "" if cause is Cause.COMPLETE else "because")
    return TrainingResult(Network(name), epochs, best, ending, 2.0, 50.0 * len(epochs), StepSchedule.of_epochs(9, 5))


def gather(*trainings: TrainingResult, n_folds: int = 3, metric: str = "val_accuracy") -> Folds:
    folds = Folds(n_folds, get_metric(metric))
    for result in trainings:
        assert not folds.is_over
        folds.take(result, NamedConfiguration.on_images(SPLIT, lambda precision: None))
    return folds


THREE = (training("a", [0.5, 0.7]), training("b", [0.6, 0.9, 0.8], Cause.EARLY), training("c", [0.4, 0.5]))


def test_value_of_a_trial_is_the_mean_of_the_best_epochs_of_its_folds() -> None:
    ending, best = ends(gather(*THREE))
    assert best is not None
    assert ending.state is State.COMPLETE
    assert best.val_accuracy == pytest.approx((0.7 + 0.9 + 0.5) / 3)
    assert best.val_loss == pytest.approx((1.3 + 1.1 + 1.5) / 3)
    assert best.number == 2


def test_figures_of_folds_have_spread_and_count() -> None:
    figures = gather(*THREE).assessment().figures()
    assert figures["best_val_accuracy_sd"] == pytest.approx(stdev([0.7, 0.9, 0.5]))
    assert (figures["n_folds"], figures["train_seconds"]) == (3, 6.0)
    assert figures["images_per_second"] == pytest.approx((100 + 150 + 100) / 3)


def test_figures_of_a_single_split_have_neither_spread_nor_count() -> None:
    assessment = gather(THREE[0], n_folds=1).assessment()
    assert list(assessment.figures()) == [
        "best_val_accuracy", "best_val_loss", "best_epoch", "train_accuracy", "train_loss", "train_seconds",
        "images_per_second",
    ]  # fmt: skip
    assert assessment.figures()["train_accuracy"] == 0.5
    assert assessment.figures()["train_loss"] == pytest.approx(-(np.log(0.9) + np.log(0.1)) / 2)
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
    ending, best = ends(folds)
    assert (ending.state, ending.reason) == (State.PRUNED, "time up: because, fold 2 of 3")
    assert best == THREE[0].best_epoch
    assert folds.network == "finished a"


@pytest.mark.parametrize(
    ("accuracies", "n_folds", "unit"), [([0.5, 0.6], 3, "fold"), ([], 1, "epoch")], ids=["folds", "single split"]
)
def test_job_waits_where_the_time_is_up_before_there_is_anything_to_show(
    accuracies: list[float], n_folds: int, unit: str
) -> None:
    ending, best = ends(gather(training("a", accuracies, Cause.TIME_UP), n_folds=n_folds))
    assert (ending.state, best) == (State.WAITING, None)
    assert ending.reason == f"paused: time up before the first {unit} was over"


def test_time_up_in_a_single_split_prunes_with_the_epochs_that_it_has() -> None:
    ending, best = ends(gather(training("a", [0.5, 0.6], Cause.TIME_UP), n_folds=1))
    assert ending.state is State.PRUNED
    assert best is not None
    assert best.val_accuracy == 0.6


@pytest.mark.parametrize(
    ("cause", "state"),
    [(Cause.INTERRUPTED, State.WAITING), (Cause.PAUSED, State.WAITING), (Cause.DIVERGED, State.PRUNED)],
)
def test_ending_of_a_later_fold_ends_the_job(cause: Cause, state: State) -> None:
    folds = gather(THREE[0], training("b", [], cause))
    ending, _ = ends(folds)
    assert folds.is_over
    assert (ending.state, ending.reason) == (state, f"{cause}: because, fold 2 of 3")


def test_single_split_that_was_interrupted_does_not_count_whatever_its_epochs() -> None:
    folds = Folds(1, get_metric("val_accuracy"))
    bound = NamedConfiguration.on_images(SPLIT, lambda precision: None)
    assert not folds.take(training("a", [0.9], Cause.INTERRUPTED), bound)
    assert folds.n_taken == 0


def test_reason_to_stop_after_a_fold_ends_the_job() -> None:
    folds = gather(*THREE[:2])
    folds.stop(Ending(Cause.PRUNED, "worse than the best"))
    assert folds.last_best_epoch.val_accuracy == 0.9
    assert folds.assessment().best_epoch.val_accuracy == pytest.approx(0.8)
    assert folds.is_over
    assert folds.outcome().ending.reason == "pruned: worse than the best"


def test_fold_that_did_not_finish_does_not_count() -> None:
    folds = Folds(3, get_metric("val_accuracy"))
    bound = NamedConfiguration.on_images(SPLIT, lambda precision: None)
    assert not folds.take(training("a", [0.5], Cause.TIME_UP), bound)
    assert folds.take(training("a", [0.5], Cause.EARLY), bound)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def run(store: TrackingStore) -> TrainingRun:
    run_id = ParentRun(store, "0" * 32, "0").start_run("t", tags={}, parameters={}, files={})
    return TrainingRun.resume(store, run_id)


def log(run: TrainingRun, *curves: list[float], n_folds: int, n_finished: int) -> dict[str, list[tuple[int, float]]]:
    """Log the validation accuracies of folds; return the steps and values of each metric that the run then has."""
    curve_log = CurveLog(run, n_folds)
    for fold, accuracies in enumerate(curves, start=1):
        for epoch in epochs_of(accuracies):
            curve_log.log(fold, epoch)
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
