"""The progress of a competitor: a JSON line an epoch, and the weights of the best one; kept when it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.knobs.table import KNOBS

from .task import Task


class BudgetOver(BaseException):
    """The budget of the competitor is used up.

    It is no Exception: the peers' libraries would count that as a failed trial, and go on.
    """


@dataclass
class Progress:
    """Follows the trainings of one competitor; what ends after the deadline does not count."""

    task: Task
    n_trainings: int = 0
    best: float = -1.0
    n_epochs: int = 0

    @classmethod
    def of(cls, task: Task) -> Progress:
        """Return the progress as the task's files have it: Ray trains each trial in a process of its own."""
        lines = read_lines(task.progress_file)
        epochs = [line for line in lines if "best" in line]
        best = max((line["best"] for line in epochs), default=-1.0)
        return cls(task, n_trainings=n_trainings(lines), best=best, n_epochs=len(epochs))

    def begin_training(self, knobs: Mapping[str, object]) -> None:
        """Note that a training begins, with those of its knobs that are not at their defaults.

        Raises:
            BudgetOver: there is no time for it.
        """
        self.check_time()
        self.n_trainings += 1
        turned = {name: value for name, value in knobs.items() if value != KNOBS[name].default}
        self._write({"training": self.n_trainings, "knobs": turned})

    def end_epoch(self, epoch: int, val_accuracy: float, hold: Callable[[], None]) -> None:
        """Note an epoch, counted from 1; ``hold`` keeps its weights where it is the best so far.

        Raises:
            BudgetOver: it ended too late, or was the last one.
        """
        self.check_time()
        if val_accuracy > self.best:
            self.best = val_accuracy
            hold()
        self._write({"training": self.n_trainings, "epoch": epoch, "val_accuracy": val_accuracy, "best": self.best})
        self.n_epochs += 1
        self.check_time()

    @property
    def is_over(self) -> bool:
        """Whether time is up, or all epochs are done."""
        most = self.task.most_epochs
        return self.task.seconds_left() < 0 or (most is not None and self.n_epochs >= most)

    def check_time(self) -> None:
        """Raise BudgetOver where it is over."""
        if self.is_over:
            raise BudgetOver

    def _write(self, line: Mapping[str, object]) -> None:
        with self.task.progress_file.open("a") as file:
            file.write(json.dumps({"seconds": round(time.time() - self.task.start, 3), **line}) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a progress file, without one that was cut off; none where there is no file."""
    texts = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(text) for text in texts]


def n_trainings(lines: Iterable[Mapping[str, Any]]) -> int:
    """Return how many trainings were begun."""
    return max((line["training"] for line in lines), default=0)


def hold_weights(path: Path, knobs: Mapping[str, object], val_accuracy: float, weights: Iterable[Any]) -> None:
    """Write the weights of a plain Keras network, in one piece, so that a kill leaves these or those before."""
    part = path.with_suffix(".part.npz")
    arrays = {f"weight_{number:03d}": weight for number, weight in enumerate(weights)}
    np.savez(part, knobs=json.dumps(dict(knobs)), val_accuracy=val_accuracy, **arrays)
    part.replace(path)
