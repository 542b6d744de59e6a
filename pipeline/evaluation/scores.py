"""Tables of how a network does, from its probabilities and the true labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.batches import images_at_once
from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels

_SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of shape (n, classes) beside the true labels of shape (n,)."""

    probabilities: Array
    labels: Array
    class_names: tuple[str, ...]

    @property
    def predicted(self) -> Array:
        """The most probable class of each image, shape (n,)."""
        classes: Array = self.probabilities.argmax(axis=1)
        return classes

    @property
    def is_right(self) -> Array:
        """Whether each image is classified right, shape (n,)."""
        right: Array = self.predicted == self.labels
        return right

    @property
    def log_likelihoods(self) -> Array:
        """Logarithm of each label's probability, which counts as 1e-7 at least, shape (n,)."""
        of_label = self.probabilities[np.arange(len(self.labels)), self.labels]
        logarithms: Array = np.log(np.maximum(of_label, _SMALLEST_PROBABILITY))
        return logarithms

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return -float(self.log_likelihoods.mean())

    @property
    def accuracy(self) -> float:
        """The share of images that are classified right."""
        return float(self.is_right.mean())

    def mistakes(self) -> Array:
        """Return the indices of the misclassified images, the most confident mistake first."""
        wrong = np.flatnonzero(~self.is_right)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")]


def predict(network: Any, images: Pixels, labels: Array, class_names: tuple[str, ...]) -> Predictions:
    """Run a Keras network over raw images, layer by layer: tracing it would cost more than it saves here.

    A network with one output gives the probability of the second of two classes; the first has what is left.
    """
    n_at_once = images_at_once(images.shape[1:])
    starts = range(0, len(images), n_at_once)
    parts = [np.asarray(network(images[start : start + n_at_once], training=False)) for start in starts]
    outputs = np.concatenate(parts)
    probabilities = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
    return Predictions(probabilities, labels, class_names)


def confusion_table(predictions: Predictions) -> pd.DataFrame:
    """Return the counts of true (rows) against predicted classes (columns)."""
    from sklearn.metrics import confusion_matrix

    names = list(predictions.class_names)
    counts = confusion_matrix(predictions.labels, predictions.predicted, labels=range(len(names)))
    return pd.DataFrame(counts, index=pd.Index(names, name="true"), columns=pd.Index(names, name="predicted"))


def report_table(predictions: Predictions) -> pd.DataFrame:
    """Return precision, recall, F1 and support of each class, and their averages."""
    from sklearn.metrics import classification_report

    names = list(predictions.class_names)
    report = classification_report(
        predictions.labels, predictions.predicted, labels=range(len(names)), target_names=names, output_dict=True,
        zero_division=0,
    )  # fmt: skip
    accuracy = report.pop("accuracy", None)
    table = pd.DataFrame(report).T.rename_axis("class")
    if accuracy is not None:
        table.loc["accuracy"] = [np.nan, np.nan, accuracy, len(predictions.labels)]
    return table.astype({"support": int})
