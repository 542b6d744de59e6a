"""The progress of a training in plain Python: its best epoch goes by one metric, its early end by another."""

from __future__ import annotations

import pytest

from pipeline.knobs.table import complete
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric, get_metric
from pipeline.training.plan import TrainingPlan
from pipeline.training.progress import Progress
from pipeline.training.scheduler import Scheduler

LOGS = [  # better and worse in different epochs, metric by metric
    {"loss": 0.9, "accuracy": 0.5, "val_loss": 0.6, "val_accuracy": 0.5},
    {"loss": 0.8, "accuracy": 0.4, "val_loss": 0.7, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.8, "val_accuracy": 0.7},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
]


def begun(metric: Metric | None, **knobs: int | float | str) -> Progress:
    """Return the progress of a training of 6 epochs, of one step each, that has not begun."""
    plan = TrainingPlan(complete({"epochs": 6, **knobs}))
    return Progress(plan, metric, Scheduler(1, 1, [(0, 0.0), (plan.epochs, 1.0)]))


def followed(*, monitor: str, patience: int, metric: str = "val_accuracy") -> Progress:
    """Return the progress through the epochs in LOGS, to their end or its own; the weights are the epoch's number."""
    progress = begun(get_metric(metric), early_stopping_monitor=monitor, early_stopping_patience=patience)
    for number, logs in enumerate(LOGS, start=1):
        progress.begin_epoch()
        progress.end_epoch(logs, 0.1, lambda number=number: number)
        if progress.ending is not None:
            break
    return progress


@pytest.mark.parametrize(("monitor", "n_epochs"), [("val_loss", 3), ("accuracy", 3), ("loss", 4), ("val_accuracy", 5)])
def test_training_ends_when_its_monitor_was_not_better_for_its_patience(monitor: str, n_epochs: int) -> None:
    progress = followed(monitor=monitor, patience=2)

    assert len(progress.epochs) == n_epochs
    assert progress.ending == Ending(Cause.EARLY, f"no better {monitor} within 2 epochs")


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", 3), ("val_loss", 1)])
def test_best_epoch_and_its_weights_go_by_the_metric_whatever_is_monitored(metric: str, best: int) -> None:
    progress = followed(metric=metric, monitor="accuracy", patience=2)

    assert progress.best_epoch == progress.epochs[best - 1]
    assert progress.best_weights == best


@pytest.mark.parametrize(("min_delta", "n_epochs"), [(0.0, 5), (0.07, 4), (0.2, 3)])
def test_smaller_gain_than_the_least_is_no_improvement_for_early_stopping(min_delta: float, n_epochs: int) -> None:
    progress = begun(get_metric("val_accuracy"), early_stopping_patience=2, early_stopping_min_delta=min_delta)
    for accuracy in (0.5, 0.6, 0.65, 0.64, 0.62):
        if progress.ending is None:
            progress.begin_epoch()
            progress.end_epoch({"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": accuracy}, 0.1, list)

    assert progress.ending is not None
    assert len(progress.epochs) == n_epochs


def test_no_patience_waits_for_ever() -> None:
    progress = followed(monitor="val_loss", patience=0)

    assert (progress.ending, len(progress.epochs)) == (None, 5)


def test_without_validation_the_last_epoch_counts_as_the_best() -> None:
    progress = begun(None)
    for number, logs in enumerate(LOGS, start=1):
        progress.end_epoch({"loss": logs["loss"], "accuracy": logs["accuracy"]}, 0.1, lambda number=number: number)

    assert progress.best_epoch == progress.epochs[-1]
    assert progress.best_weights == len(LOGS)
    assert not progress.best_epoch.is_validated
    assert set(progress.best_epoch.metrics()) == {"loss", "accuracy", "learning_rate", "epoch_seconds"}


def test_training_is_complete_after_its_last_epoch() -> None:
    progress = begun(get_metric("val_loss"), epochs=5)
    for logs in LOGS:
        assert progress.ending is None
        progress.end_epoch(logs, 0.1, list)

    assert progress.ending == Ending(Cause.COMPLETE)
