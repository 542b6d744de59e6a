"""A prior: what is known of one knob before the search."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.knobs.table import KnobValue

CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True)
class Prior:
    """The value around which good values of a knob are expected, and how surely: one of ``CONFIDENCES``.

    ``center`` None stands for the knob's value in the first trial.
    """

    center: KnobValue | None = None
    confidence: str = "medium"

    def at_most(self, limit: int) -> Prior:
        """Return the prior with its centre reduced to ``limit``."""
        return self if self.center is None else replace(self, center=min(int(self.center), limit))
