"""A candidate against the champion on the same images: class by class, and image by image."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.data.image_set import Array
from pipeline.evaluation.scores import Predictions


def only_right(predictions: Predictions, other: Predictions) -> Array:
    """Return the indices of the images that the first of two models alone gets right, its surest answers first."""
    indices = np.flatnonzero(predictions.is_right & ~other.is_right)
    order: Array = indices[np.argsort(-predictions.probabilities[indices].max(axis=1), kind="stable")]
    return order


def class_changes(candidate: Predictions, champion: Predictions) -> pd.DataFrame:
    """Return each class's images and accuracies (recalls) under both models; the best change comes first."""
    (counts, ours), (_, theirs) = _recalls(candidate), _recalls(champion)
    table = pd.DataFrame(
        {"images": counts, "candidate": ours, "champion": theirs, "change": ours - theirs},
        index=pd.Index(candidate.class_names, name="class"),
    )
    return table[counts > 0].sort_values("change", ascending=False, kind="stable")


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
