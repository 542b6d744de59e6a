"""The training plan: the knobs that say how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pipeline.data.augmentation import Augmentation, make_augmentation
from pipeline.knobs.table import Knobs, KnobView


@dataclass(frozen=True)
class TrainingPlan(KnobView):
    """How to train; the knobs of the training are attributes."""

    knobs: Knobs

    @cached_property
    def augmentation(self) -> Augmentation:
        """The random changes to training images."""
        return make_augmentation(self.knobs)
