"""Groups of steps: the same figures as Keras's own loop, from every batch once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.training.steps import group_steps


def fit(*, steps_per_execution: int, grouped: bool, n_batches: int = 10) -> tuple[Any, dict[str, list[float]]]:
    """Train a tiny network with dropout for two epochs; return it with its figures."""
    import keras
    import tensorflow as tf

    noise = np.random.default_rng(0)
    pixels, targets = noise.random((8 * n_batches, 6), np.float32), np.eye(3)[noise.integers(0, 3, 8 * n_batches)]
    batches = tf.data.Dataset.from_tensor_slices((pixels, targets)).batch(8)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((6,)), keras.layers.Dense(5), keras.layers.Dropout(0.2), keras.layers.Dense(3, "softmax")]
    network = keras.Sequential(layers)
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    network.compile("adam", "categorical_crossentropy", metrics=[accuracy], steps_per_execution=steps_per_execution)
    if grouped:
        group_steps(network)
    fitted = network.fit(batches, validation_data=batches.take(3), epochs=2, shuffle=False, verbose=0)
    return network, fitted.history


@pytest.mark.parametrize("steps_per_execution", [1, 4, 10, 32])
def test_grouped_steps_train_as_keras_does(steps_per_execution: int) -> None:
    expected, expected_figures = fit(steps_per_execution=steps_per_execution, grouped=False)

    network, figures = fit(steps_per_execution=steps_per_execution, grouped=True)

    assert figures.keys() == expected_figures.keys()
    for name, values in figures.items():
        assert values == pytest.approx(expected_figures[name], rel=1e-5), name
    for ours, theirs in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps_per_execution", [1, 4, 32])
def test_each_batch_is_trained_on_once_an_epoch(steps_per_execution: int) -> None:
    network, _ = fit(steps_per_execution=steps_per_execution, grouped=True, n_batches=7)

    assert int(network.optimizer.iterations) == 14


def test_step_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    traced: list[str] = []
    step = keras.Sequential.train_step
    monkeypatch.setattr(
        keras.Sequential, "train_step", lambda self, data: (traced.append("train"), step(self, data))[1]
    )

    fit(steps_per_execution=4, grouped=True, n_batches=7)

    assert traced == ["train"]
