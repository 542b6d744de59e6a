"""The first configuration of our space alone, its schedule over the whole budget."""

from __future__ import annotations

from contextlib import suppress

from pipeline.training.budget import Budget
from pipeline.training.device import configure_device
from pipeline.training.result import Epoch

from ..timed_training import train_within
from .progress import BudgetOver, Progress
from .spaces import our_space, read_prior
from .task import Task

HELD_FILE = "held.keras"
_OTHER_SECONDS = 7.0  # to compile the network and to write it: as much as a search expects of its first training


def run(task: Task) -> None:
    """Train it once in what is left of the budget, with at most the epochs of the longest training of the space."""
    configure_device(threads=1)
    knobs = {**read_prior(task.space_path), "epochs": our_space(task.space_path).max_epochs}
    progress, split = Progress(task), task.split
    progress.begin_training(knobs)

    def on_epoch(epoch: Epoch) -> None:
        with suppress(BudgetOver):  # the training ends by its own budget
            progress.end_epoch(epoch.number, epoch.val_accuracy, lambda: None)

    budget = Budget(seconds=max(1.0, task.seconds_left() - _OTHER_SECONDS), epochs=task.most_epochs)
    _, network = train_within(
        knobs, split, budget=budget, seed=task.seed, precision=task.precision, on_epoch=on_epoch
    )  # fmt: skip
    network.save(task.path / HELD_FILE)
