"""The limits that a user sets a candidate, held by MLflow's own validation of evaluation results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A bound of one figure; ``is_least`` where the figure may not be smaller, else it may not be larger."""

    figure: str
    bound: float
    is_least: bool


def broken_limits(figures: Mapping[str, float], limits: tuple[Limit, ...]) -> list[str]:
    """Return a phrase for each limit that ``figures`` break."""
    from mlflow.models import MetricThreshold
    from mlflow.models.evaluation import EvaluationResult
    from mlflow.models.evaluation.validation import ModelValidationFailedException, validate_evaluation_results

    broken = []
    for limit in limits:
        threshold = MetricThreshold(threshold=limit.bound, greater_is_better=limit.is_least)
        try:
            validate_evaluation_results({limit.figure: threshold}, EvaluationResult(dict(figures), {}))
        except ModelValidationFailedException:
            side = "below the least" if limit.is_least else "above the most"
            broken.append(f"{limit.figure} {figures[limit.figure]:.6g} is {side} that was asked for, {limit.bound:g}")
    return broken
