"""The linear probe: logistic regression on the features of a pretrained backbone, as a Keras network."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.knobs.table import complete
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.configuration import Configuration

BACKBONE = "EfficientNetLite0"
PHOTOGRAPH_SIZE = 224  # pixels a side, for which its weights were trained
_INVERSE_PENALTY = 0.1
_MOST_ITERATIONS = 2000

PROBE = Configuration(complete({"backbone": BACKBONE}))


def fit_probe(bound: BoundConfiguration) -> Any:
    """Return the classifier on features, fitted on the training images; ``bound`` is that of ``PROBE``.

    With two classes scikit-learn has one row of weights, whose logistic function is the softmax of its halves.
    """
    from sklearn.linear_model import LogisticRegression

    train = bound.split.train
    regression = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_ITERATIONS).fit(train.images[:], train.labels)
    rows, biases = regression.coef_, regression.intercept_
    if len(rows) == 1:
        rows, biases = np.concatenate([-rows, rows]) / 2, np.concatenate([-biases, biases]) / 2
    network = bound.build("float32")
    network.get_layer("classes").set_weights([rows.T, biases])
    return network
