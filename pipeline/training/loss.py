"""The loss, and the metrics beside it, that a network's output calls for."""

from __future__ import annotations

from typing import Any

from pipeline.errors import OutputError


def check_outputs(n_outputs: int, *, n_classes: int) -> None:
    """Refuse a network that ends neither in a unit a class nor in one unit for two classes.

    Raises:
        OutputError: the network ends in another number of units.
    """
    if n_outputs == n_classes or (n_outputs, n_classes) == (1, 2):
        return
    raise OutputError(
        f"a network must end in one unit for each of the {n_classes} classes, or in one for two classes, "
        f"got {n_outputs}; change its last layer, or take other data"
    )


def make_loss(n_outputs: int) -> str:
    """Return Keras's name of the loss: cross-entropy over two classes for one output, else over all."""
    return "binary_crossentropy" if n_outputs == 1 else "categorical_crossentropy"


def make_metrics(n_outputs: int, *, class_weights: bool) -> list[Any]:
    """Return the metrics of an epoch beside the loss; where images have weights, ``loss`` without them, too.

    Keras would log the weighted loss, which cannot be compared with the validation's: a metric of the same name
    replaces it in the logs. All are objects: one given by name makes its variables within the first step.
    """
    from keras import metrics

    is_right = _binary_accuracy if n_outputs == 1 else metrics.categorical_accuracy
    accuracy = metrics.MeanMetricWrapper(is_right, name="accuracy")
    if not class_weights:
        return [accuracy]
    kind = metrics.BinaryCrossentropy if n_outputs == 1 else metrics.CategoricalCrossentropy
    return [accuracy, kind(name="loss")]


def _binary_accuracy(targets: Any, probabilities: Any) -> Any:
    """Return whether each target and probability lie on the same side; Keras's own takes no smoothed targets."""
    from keras import ops

    return ops.cast(ops.equal(targets > 0.5, probabilities > 0.5), "float32")
