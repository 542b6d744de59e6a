"""The progress of a training in plain Python: its best epoch goes by one metric, its early end by another."""

from __future__ import annotations

import pytest

from pipeline.knobs.table import complete
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric, get_metric
from pipeline.training.plan import TrainingPlan
from pipeline.training.progress import Progress

LOGS = [  # better and worse in different epochs, metric by metric
    {"loss": 0.9, "accuracy": 0.5, "val_loss": 0.6, "val_accuracy": 0.5},
    {"loss": 0.8, "accuracy": 0.4, "val_loss": 0.7, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.8, "val_accuracy": 0.7},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
    {"loss": 0.9, "accuracy": 0.4, "val_loss": 0.9, "val_accuracy": 0.6},
]


def begun(metric: Metric | None, *, until_epoch: int | None = None, **knobs: int | str) -> Progress:
    """Return the progress of a training of 6 epochs, of one step each, that has not begun."""
    plan = TrainingPlan(complete({"epochs": 6, **knobs}))
    return Progress(plan, metric, 1, until_epoch=until_epoch)


def followed(*, monitor: str, patience: int, metric: str = "val_accuracy", until_epoch: int | None = None) -> Progress:
    """Return the progress through the epochs in LOGS, to their end or its own; the weights are the epoch's number."""
    progress = begun(
        get_metric(metric), until_epoch=until_epoch, early_stopping_monitor=monitor, early_stopping_patience=patience
    )
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


@pytest.mark.parametrize(
    ("until_epoch", "cause", "n_epochs"), [(2, Cause.PAUSED, 2), (4, Cause.EARLY, 4), (5, Cause.EARLY, 4)]
)
def test_training_pauses_after_the_epoch_that_it_goes_to_unless_it_ends_by_then(
    until_epoch: int, cause: Cause, n_epochs: int
) -> None:
    progress = followed(monitor="loss", patience=2, until_epoch=until_epoch)

    assert progress.ending is not None
    assert (progress.ending.cause, len(progress.epochs)) == (cause, n_epochs)


@pytest.mark.parametrize("until_epoch", [None, 5, 6, 7])
def test_training_is_complete_after_its_last_epoch_and_never_paused_there(until_epoch: int | None) -> None:
    progress = begun(get_metric("val_loss"), until_epoch=until_epoch, epochs=5)
    for logs in LOGS:
        assert progress.ending is None
        progress.end_epoch(logs, 0.1, list)

    assert progress.ending == Ending(Cause.COMPLETE)
