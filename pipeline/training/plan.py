"""The training plan: the knobs that say how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.knobs.table import Knobs


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. The fields are knobs of the same names."""

    batch_size: int
    optimizer: str
    learning_rate: float
    learning_rate_schedule: str
    weight_decay: float
    momentum: float
    label_smoothing: float
    augmentation: str
    epochs: int
    early_stopping_patience: int


def make_plan(knobs: Knobs) -> TrainingPlan:
    """Take the training's part out of all ``knobs``."""
    return TrainingPlan(**{field.name: knobs[field.name] for field in fields(TrainingPlan)})  # type: ignore[arg-type]
