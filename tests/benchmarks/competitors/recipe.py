"""The first configuration of our space alone, its schedule stretched over the whole budget."""

from __future__ import annotations

from contextlib import suppress

from pipeline.training.device import configure_device
from pipeline.training.result import Epoch

from ..timed_training import measure_pace, train_within
from .progress import BudgetOver, Progress
from .spaces import read_prior
from .task import Task

HELD_FILE = "held.keras"


def run(task: Task) -> None:
    """Measure its speed for some seconds of the budget, and train it once in what is left."""
    configure_device(threads=1)
    knobs, progress = read_prior(task.space_path), Progress(task)
    pace = measure_pace(knobs, task.split, precision=task.precision)
    progress.begin_training(knobs)

    def on_epoch(epoch: Epoch) -> None:
        if task.seconds_left() > 0:
            with suppress(BudgetOver):  # the schedule was laid to end in time; its last steps may be a little late
                progress.end_epoch(epoch.number, epoch.val_accuracy, lambda: None)

    _, network = train_within(
        knobs, task.split, seconds=task.seconds_left(), pace=pace, seed=task.seed, precision=task.precision,
        on_epoch=on_epoch, most_epochs=task.most_epochs,
    )  # fmt: skip
    network.save(task.path / HELD_FILE)
