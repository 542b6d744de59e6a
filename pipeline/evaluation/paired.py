"""Two trainings on the same validation images: the difference of their metrics, and its standard error."""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass

import numpy as np

from pipeline.data.image_set import Array
from pipeline.evaluation.scores import Predictions


@dataclass(frozen=True)
class Difference:
    """A mean difference over images, in units of the metric and positive where the first is better.

    One that ``is_forecast`` was not measured: it is expected of longer trainings.
    """

    mean: float
    standard_error: float
    is_forecast: bool = False

    @property
    def is_gain(self) -> bool:
        """Whether the first is better by more than one standard error."""
        return self.mean > self.standard_error

    @property
    def is_likely(self) -> bool:
        """Whether the first is better by more than half a standard error: with a probability above two thirds."""
        return self.mean > self.standard_error / 2

    @property
    def is_within_error(self) -> bool:
        """Whether the first is not worse by more than one standard error."""
        return self.mean >= -self.standard_error

    def __str__(self) -> str:
        """Return it in percentage points, as messages show accuracies."""
        when = " expected of the final training" if self.is_forecast else ""
        return f"{100 * self.mean:+.1f} ± {100 * self.standard_error:.1f} points{when}"


def image_scores(predictions: Predictions, metric: str) -> Array:
    """Return each image's share of a metric, higher is better, shape (n,): right or wrong, or minus its log loss."""
    if metric == "val_accuracy":
        return predictions.is_right.astype(np.float16)
    return predictions.log_likelihoods.astype(np.float16)


def paired_difference(first: Array, second: Array) -> Difference:
    """Return the mean of the differences of ``image_scores`` on the same images, with its standard error.

    On the same images the error is smaller than that of two independent means: what both get wrong cancels out.
    """
    differences = first.astype(np.float64) - second.astype(np.float64)
    error = differences.std(ddof=1) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    return Difference(float(differences.mean()), float(error))


def pack_scores(scores: Array) -> str:
    """Return scores as a text that a database keeps."""
    return base64.b64encode(zlib.compress(scores.astype(np.float16).tobytes())).decode()


def unpack_scores(text: str) -> Array:
    """Return the scores that ``pack_scores`` made a text of, shape (n,)."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.float16)
