"""Loss, targets and metrics follow the network's output; weights of classes act on the loss that is minimized alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from splitting import split

from pipeline.data.batches import balanced_weights
from pipeline.data.image_set import Array, make_image_set
from pipeline.data.scaling import fit_scaling
from pipeline.data.source import Split
from pipeline.errors import InputError, OutputError
from pipeline.evaluation.scores import predict
from pipeline.knobs.table import Knobs, complete
from pipeline.model.architecture import make_architecture
from pipeline.model.network import build_network
from pipeline.training.configuration import Configuration
from pipeline.training.loss import check_outputs
from pipeline.training.metric import get_metric
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import TrainingResult
from pipeline.training.trainer import train

TINY: Knobs = {
    "blocks": 1, "filters": 4, "batch_norm": False, "head": "flatten",
    "batch_size": 32, "learning_rate": 0.01, "epochs": 3,
}  # fmt: skip


def digits_of(digits: Split, counts: dict[int, int]) -> Split:
    """Return so many images of some digits, which become the classes."""
    places = [np.flatnonzero(digits.train.labels == digit)[:count] for digit, count in counts.items()]
    return split(
        make_image_set(
            name="some", source="some", images=digits.train.images[np.concatenate(places)],
            labels=np.repeat(np.arange(len(places)), [len(place) for place in places]),
            class_names=tuple(str(digit) for digit in counts),
        ),
        seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def threes_and_eights(digits: Split) -> Split:
    """Return the digits 3 and 8: two classes of unequal size."""
    return digits_of(digits, {3: 30, 8: 110})


def train_on(data: Split, **values: Any) -> TrainingResult:
    knobs = complete({**TINY, **values})
    return train(
        build=Configuration(knobs).bind(data).build, plan=TrainingPlan(knobs), data=data, seed=0,
        metric=get_metric("val_accuracy"),
    )  # fmt: skip


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_sigmoid_unit_learns_two_classes(threes_and_eights: Split, smoothing: float) -> None:
    data = threes_and_eights

    result = train_on(data, output="sigmoid", label_smoothing=smoothing, batch_size=8, epochs=8)

    assert result.best_epoch is not None
    assert result.network.output_shape == (None, 1)
    assert result.epochs[-1].accuracy > 0.9
    predictions = predict(result.network, data.validation.images, data.validation.labels, data.images.class_names)
    assert predictions.probabilities.shape == (len(data.validation.labels), 2)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-6)
    accuracy = (predictions.predicted == predictions.labels).mean()
    assert accuracy == pytest.approx(result.best_epoch.val_accuracy, abs=1e-6)
    assert accuracy > 0.9
    right = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    assert result.best_epoch.val_loss == pytest.approx(-np.log(right).mean(), rel=1e-3)


def by_hand(data: Split, knobs: Knobs) -> tuple[float, list[Array]]:
    """Return the plain loss of all training images before training, and the weights after one weighted step."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    network = Configuration(knobs).bind(data).build("float32")
    images, labels = data.train.images, data.train.labels
    weights = balanced_weights(data.train)[labels]
    with tf.GradientTape() as tape:
        outputs = network(images)
        both = tf.concat([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs
        losses = -tf.math.log(tf.gather(both, labels, batch_dims=1))
        weighted = tf.reduce_sum(losses * weights) / len(labels)
    gradients = tape.gradient(weighted, network.trainable_variables)
    after = [
        np.asarray(weight) - float(knobs["learning_rate"]) * np.asarray(gradient)
        for weight, gradient in zip(network.trainable_variables, gradients, strict=True)
    ]
    return float(tf.reduce_mean(losses)), after


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_class_weights_weigh_the_gradient_and_leave_the_logged_loss_plain(
    threes_and_eights: Split, output: str
) -> None:
    data = threes_and_eights
    knobs = {
        **TINY, "output": output, "class_weights": True, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1,
        "batch_size": len(data.train.labels), "epochs": 1,
    }  # fmt: skip
    loss, weights = by_hand(data, complete(knobs))

    result = train_on(data, **knobs)
    unweighted = train_on(data, **{**knobs, "class_weights": False})

    for found, expected in zip(result.network.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert result.epochs[0].loss == pytest.approx(loss, rel=1e-4)
    assert result.epochs[0].loss == pytest.approx(unweighted.epochs[0].loss, rel=1e-5)
    assert result.epochs[0].accuracy == pytest.approx(unweighted.epochs[0].accuracy)
    apart = zip(result.network.get_weights(), unweighted.network.get_weights(), strict=True)
    assert max(np.abs(one - other).max() for one, other in apart) > 1e-3


def test_output_of_another_width_than_the_classes_is_refused_before_training(digits: Split) -> None:
    knobs = complete(TINY)
    three_classes = make_architecture(
        knobs, input_shape=(8, 8, 1), n_classes=3, pixel_scaling=fit_scaling("zero_one", digits.train.images)
    )

    with pytest.raises(OutputError) as caught:
        train(
            build=lambda precision: build_network(three_classes, precision=precision), plan=TrainingPlan(knobs),
            data=digits, seed=0, metric=get_metric("val_accuracy"),
        )  # fmt: skip

    assert str(caught.value) == (
        "a network must end in one unit for each of the 10 classes, or in one for two classes, got 3; "
        "change its last layer, or take other data"
    )


@pytest.mark.parametrize(("n_outputs", "n_classes"), [(1, 10), (1, 3), (2, 3), (10, 2)])
def test_outputs_that_do_not_fit_the_classes_are_unusable_input(n_outputs: int, n_classes: int) -> None:
    with pytest.raises(InputError, match=rf"got {n_outputs}; change its last layer"):
        check_outputs(n_outputs, n_classes=n_classes)


@pytest.mark.parametrize(("n_outputs", "n_classes"), [(1, 2), (2, 2), (10, 10)])
def test_outputs_that_fit_the_classes_pass(n_outputs: int, n_classes: int) -> None:
    check_outputs(n_outputs, n_classes=n_classes)
