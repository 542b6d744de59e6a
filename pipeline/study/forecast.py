"""What the difference of two configurations will be after the final training, by the training errors they have left.

In a training that is long enough the error on training images falls to nothing, and takes some of the error on
validation images with it. Of two configurations that are level on a rung, the one that fits its training images less
well will therefore be ahead in the end: larger networks, which make fewer steps in a rung, and more regularization.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.paired import Difference

# How fast the error falls that is left: the ranks benchmark prints what it was between its second and third budget.
EXPONENT = 0.2
LEAST_ERROR = 1e-6  # of a network that made no mistake


@dataclass(frozen=True)
class Errors:
    """The errors of a configuration at the end of a rung: on validation images, and on as many of its training images.

    Both are of the same network in the same way, without augmentation and dropout.
    """

    validation: float
    training: float

    def after(self, times_longer: float) -> float:
        """Return the validation error to be expected of a training so many times longer than the rung."""
        return max(LEAST_ERROR, self.validation - fallen_share(times_longer) * self.training)


def fallen_share(times_longer: float) -> float:
    """Return by what share of the training error the validation error falls in so many times longer a training."""
    share: float = 1 - max(1.0, times_longer) ** -EXPONENT
    return share


def forecast_difference(ours: Errors, theirs: Errors, here: Difference, *, times_longer: float) -> Difference:
    """Return how much lower our error will be than theirs; ``here`` is the paired difference on the rung."""
    lead = fallen_share(times_longer) * (ours.training - theirs.training)
    return Difference(here.mean + lead, here.standard_error, is_forecast=True)
