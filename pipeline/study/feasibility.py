"""Which configurations a search may train: those within the user's limits, and fast enough for a rung."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from pipeline.evaluation.limits import Limits
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs, KnobValue
from pipeline.model.cost import Cost, estimate_cost
from pipeline.study.fits import Fit

_SLOWER = 1.3  # so many times the operations of another: it starts slower
_LEAST_STEPS = 100  # within the lowest rung


@dataclass(frozen=True)
class Feasibility:
    """Judges configurations by their knobs, before anything is trained; ``image_shape`` is that of the raw images."""

    space: SearchSpace
    image_shape: tuple[int, ...]
    n_classes: int
    limits: Limits
    _costs: dict[tuple[tuple[str, KnobValue], ...], Cost] = field(default_factory=dict)

    def keeps_limits(self, params: Knobs) -> bool:
        """Tell whether a network keeps the limit of parameters; one whose number is not known in advance does."""
        n_parameters = None if self.limits.max_parameters is None else self._cost(params).n_parameters
        return n_parameters is None or self.limits.violation({"n_parameters": n_parameters}) is None

    def is_feasible(self, fit: Fit) -> bool:
        """Tell whether what was measured of a fit keeps the limits."""
        return self.limits.violation(fit.figures) is None

    def is_fast_enough(self, params: Knobs, *, seconds: float, fits: list[Fit]) -> bool:
        """Tell whether a configuration can be expected to make enough steps in so many seconds.

        Its time for an image is that of the fits so far, scaled by the operations of its architecture.
        """
        paces = [
            pace / self._cost(fit.params).operations for fit in fits if (pace := fit.seconds_per_image) is not None
        ]
        known = [pace for pace in paces if not math.isnan(pace)]
        operations = self._cost(params).operations
        if math.isnan(operations) or not known:
            return True
        batch_size = float(self.space.knobs_of(params)["batch_size"])
        return seconds / (median(known) * operations * batch_size) >= _LEAST_STEPS

    def is_slow_starter(self, params: Knobs, other: Knobs) -> bool:
        """Tell whether a configuration is larger than another one, drops more out, or changes images more."""
        is_larger = self._cost(params).operations > _SLOWER * self._cost(other).operations
        is_noisier = self._augmentation(params) > self._augmentation(other)
        return is_larger or is_noisier or self._dropout(params) > self._dropout(other)

    def _augmentation(self, params: Knobs) -> int:
        presets = KNOBS["augmentation"].choices or ()  # the stronger, the later
        return presets.index(str(self.space.knobs_of(params)["augmentation"]))

    def _dropout(self, params: Knobs) -> float:
        knobs = self.space.knobs_of(params)
        return sum(float(knobs[name]) for name in ("dropout_before_pool", "dropout_after_pool", "fc_dropout"))

    def _cost(self, params: Knobs) -> Cost:
        """Return the cost of a network, which is asked for at every fit; unknown where photographs have many sizes."""
        key = tuple(sorted(params.items()))
        if key not in self._costs:
            knobs = self.space.knobs_of(params)
            is_sized = int(knobs["image_size"]) > 0 or -1 not in self.image_shape
            cost = estimate_cost(knobs, self.image_shape, self.n_classes) if is_sized else Cost(None, math.nan)
            self._costs[key] = cost
        return self._costs[key]
