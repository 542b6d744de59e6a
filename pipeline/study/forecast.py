"""What the difference of two configurations will be after the final training, by how their errors fall over the rungs.

Error falls about as a power of time (Hestness et al., "Deep learning scaling is predictable, empirically", 2017), and
slow starters, which are larger, drop more out or change images more, fall faster and for longer: a rung that is short
against the final training ranks them too low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.evaluation.paired import Difference

# Beyond the rungs errors fall with this share of their exponent between them: the ranks benchmark prints it.
DAMPING = 0.25
LEAST_ERROR = 1e-6  # of a network that made no mistake
_MOST_EXPONENT = 1.0


@dataclass(frozen=True)
class Fall:
    """The errors of a configuration on two rungs, the second ``ratio`` times as long as the first."""

    short: float
    long: float
    ratio: float

    @property
    def exponent(self) -> float:
        """How fast the error falls: as time to the minus this power; 0 where it does not."""
        errors = max(self.short, LEAST_ERROR), max(self.long, LEAST_ERROR)
        return min(_MOST_EXPONENT, max(0.0, math.log(errors[0] / errors[1]) / math.log(self.ratio)))

    def after(self, times_longer: float) -> float:
        """Return the error to be expected after a training so many times longer than the second rung."""
        error: float = max(self.long, LEAST_ERROR) * times_longer ** (-DAMPING * self.exponent)
        return error


def forecast_difference(
    ours: Fall, theirs: Fall, *, short: Difference, long: Difference, times_longer: float
) -> Difference:
    """Return how much lower our error will be than theirs, with the standard errors of the rungs carried forward.

    ``short`` and ``long`` are the paired differences on the two rungs.
    """
    weight = DAMPING * math.log(times_longer) / math.log(ours.ratio)
    relative = math.hypot(
        (1 + weight) * long.standard_error / max(theirs.long, LEAST_ERROR),
        weight * short.standard_error / max(theirs.short, LEAST_ERROR),
    )
    expected = theirs.after(times_longer)
    return Difference(expected - ours.after(times_longer), expected * relative, is_forecast=True)
