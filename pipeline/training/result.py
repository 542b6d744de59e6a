"""What a training leaves: its epochs, its best one, why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """Why a training ended."""

    COMPLETE = "complete"
    EARLY = "early stopping"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    TIME_UP = "time up"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Epoch:
    """One epoch; ``number`` counts from 1."""

    number: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    epoch_seconds: float

    def metrics(self) -> dict[str, float]:
        """Return the epoch's metrics by name."""
        return {name: value for name, value in vars(self).items() if name != "number"}


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A network that has been trained, with the weights of its best epoch (None where no epoch was finished)."""

    network: Any
    epochs: tuple[Epoch, ...]
    best_epoch: Epoch | None
    ending: Ending
    reason: str
    n_parameters: int
    train_seconds: float
    images_per_second: float
