"""The training plan: the knobs that say how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.data.augmentation import Augmentation, make_augmentation
from pipeline.knobs.table import Knobs


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. The fields but the first are knobs of the same names."""

    augmentation: Augmentation
    batch_size: int
    optimizer: str
    learning_rate: float
    learning_rate_schedule: str
    plateau_monitor: str
    plateau_factor: float
    plateau_patience: int
    plateau_cooldown: int
    plateau_min_learning_rate: float
    weight_decay: float
    momentum: float
    label_smoothing: float
    class_weights: bool
    epochs: int
    early_stopping_patience: int
    early_stopping_monitor: str

    @property
    def augments(self) -> bool:
        """Whether training images change at random from epoch to epoch."""
        return self.augmentation.changes_images


def make_plan(knobs: Knobs) -> TrainingPlan:
    """Take the training's part out of all ``knobs``."""
    chosen = {field.name: knobs[field.name] for field in fields(TrainingPlan) if field.name != "augmentation"}
    return TrainingPlan(augmentation=make_augmentation(knobs), **chosen)  # type: ignore[arg-type]
