"""Limits that people set to a network: its parameters and its latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.evaluation.latency import LATENCY


@dataclass(frozen=True)
class Limits:
    """The most parameters, and the highest latency in milliseconds of one image; None: no limit."""

    max_parameters: int | None = None
    max_latency_ms: float | None = None

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Limits:
        """Return the limits among settings as runs record them."""
        parameters, latency = (settings.get(name, "none") for name in ("max_parameters", "max_latency_ms"))
        return cls(
            max_parameters=None if parameters == "none" else int(parameters),
            max_latency_ms=None if latency == "none" else float(latency),
        )

    def violation(self, figures: Mapping[str, float]) -> str | None:
        """Return how figures break a limit; None where they keep them, or were not measured."""
        for name, limit, figure in (
            ("max_parameters", self.max_parameters, "n_parameters"),
            ("max_latency_ms", self.max_latency_ms, LATENCY),
        ):
            value = figures.get(figure)
            if limit is not None and value is not None and value > limit:
                return f"{figure} {value:.6g} is above {name} {limit:.6g}"
        return None
