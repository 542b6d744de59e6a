"""A candidate against the champion on the same images: class by class, and image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.image_set import Array
from pipeline.evaluation.scores import Predictions, confusion_table


@dataclass(frozen=True, eq=False)
class Comparison:
    """The answers of two models to the same images."""

    candidate: Predictions
    champion: Predictions

    def only_candidate(self) -> Array:
        """Return the indices of the images that the candidate alone gets right, the surest of its answers first."""
        return _surest_first(self.candidate, self.champion)

    def only_champion(self) -> Array:
        """Return the indices of the images that the champion alone gets right, the surest of its answers first."""
        return _surest_first(self.champion, self.candidate)

    def class_table(self) -> pd.DataFrame:
        """Return each class's images and accuracies (recalls) under both models; the best change comes first."""
        counts, candidate = _recalls(self.candidate)
        _, champion = _recalls(self.champion)
        table = pd.DataFrame(
            {"images": counts, "candidate": candidate, "champion": champion, "change": candidate - champion},
            index=pd.Index(self.candidate.class_names, name="class"),
        )
        return table[counts > 0].sort_values("change", ascending=False, kind="stable")

    def confusion_difference(self) -> pd.DataFrame:
        """Return the candidate's counts of true (rows) against predicted classes (columns) less the champion's."""
        return confusion_table(self.candidate) - confusion_table(self.champion)


def _surest_first(right: Predictions, wrong: Predictions) -> Array:
    indices = np.flatnonzero(right.is_right & ~wrong.is_right)
    order: Array = indices[np.argsort(-right.probabilities[indices].max(axis=1), kind="stable")]
    return order


def class_extremes(predictions: Predictions) -> dict[str, tuple[str, float]]:
    """Return the name and the accuracy (recall) of the ``easiest`` and of the ``hardest`` class that has images."""
    counts, recalls = _recalls(predictions)
    seen = np.flatnonzero(counts)
    shares = recalls[seen]
    ends = {"easiest": int(shares.argmax()), "hardest": int(shares.argmin())}
    return {end: (predictions.class_names[seen[at]], float(shares[at])) for end, at in ends.items()}


def _recalls(predictions: Predictions) -> tuple[Array, Array]:
    """Return each class's images, and the share of them that is right: 0 for a class without images."""
    labels, n_classes = predictions.labels, len(predictions.class_names)
    counts = np.bincount(labels, minlength=n_classes)
    return counts, np.bincount(labels[predictions.is_right], minlength=n_classes) / np.maximum(counts, 1)
