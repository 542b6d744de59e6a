"""The training plan: the knobs that say how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pipeline.data.augmentation import Augmentation, make_augmentation
from pipeline.data.batches import steps_per_epoch
from pipeline.knobs.table import Knobs, KnobView


@dataclass(frozen=True)
class TrainingPlan(KnobView):
    """How to train; the knobs of the training are attributes."""

    knobs: Knobs

    def epoch_steps(self, n_images: int) -> int:
        """Return the training steps of an epoch: those that it sets, else those of once over the images."""
        return int(self.steps_per_epoch) or steps_per_epoch(n_images, self.batch_size)

    def epoch_images(self, n_images: int) -> int:
        """Return the images that an epoch trains on, out of ``n_images``."""
        return int(self.steps_per_epoch) * min(int(self.batch_size), n_images) or n_images

    @cached_property
    def augmentation(self) -> Augmentation:
        """The random changes to training images."""
        return make_augmentation(self.knobs)
