"""The course of a training in plain Python: its best epoch goes by one metric, its early end by another."""

from __future__ import annotations

import pytest

from pipeline.training.course import Course
from pipeline.training.metric import get_metric, get_monitor
from pipeline.training.result import Ending

LOGS = [  # better and worse in different epochs, metric by metric
    {"loss": 0.9, "accuracy": 0.5, "val_loss": 0.6, "val_accuracy": 0.5},
    {"loss": 0.8, "accuracy": 0.4, "val_loss": 0.7, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.8, "val_accuracy": 0.7},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
]


def followed(*, monitor: str, patience: int, metric: str = "val_accuracy") -> Course:
    """Return the course of the epochs in LOGS, to their end or its own; the weights are the epoch's number."""
    course = Course(
        get_metric(metric), get_monitor(monitor), patience, 1, lambda epoch: None, lambda share: None
    )  # fmt: skip
    for number, logs in enumerate(LOGS, start=1):
        course.begin_epoch()
        course.end_epoch(logs, 0.1, lambda number=number: number)
        if course.is_over:
            break
    return course


@pytest.mark.parametrize(("monitor", "n_epochs"), [("val_loss", 3), ("accuracy", 3), ("loss", 4), ("val_accuracy", 5)])
def test_training_ends_when_its_monitor_was_not_better_for_its_patience(monitor: str, n_epochs: int) -> None:
    course = followed(monitor=monitor, patience=2)

    assert (course.ending, len(course.epochs)) == (Ending.EARLY, n_epochs)
    assert course.reason == f"no better {monitor} within 2 epochs"


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", 3), ("val_loss", 1)])
def test_best_epoch_and_its_weights_go_by_the_metric_whatever_is_monitored(metric: str, best: int) -> None:
    course = followed(metric=metric, monitor="accuracy", patience=2)

    assert course.best_epoch == course.epochs[best - 1]
    assert course.best_weights == best


def test_no_patience_waits_for_ever() -> None:
    course = followed(monitor="val_loss", patience=0)

    assert (course.ending, len(course.epochs)) == (Ending.COMPLETE, 5)


def test_without_validation_the_last_epoch_counts_as_the_best() -> None:
    course = Course(None, None, 0, 1, lambda epoch: None, lambda share: None)
    for number, logs in enumerate(LOGS, start=1):
        course.end_epoch({"loss": logs["loss"], "accuracy": logs["accuracy"]}, 0.1, lambda number=number: number)

    assert course.best_epoch == course.epochs[-1]
    assert course.best_weights == len(LOGS)
    assert not course.best_epoch.is_validated
    assert set(course.best_epoch.metrics()) == {"loss", "accuracy", "learning_rate", "epoch_seconds"}
