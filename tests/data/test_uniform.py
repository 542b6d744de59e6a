"""Uniform random numbers: those of TensorFlow's own function, and of XLA the same."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.uniform import draw_integers, draw_uniform

SEEDS = [(0, 0), (1, 2), (-5, 3), (2**31 - 1, -(2**31)), (-1, -987654321)]
RANGES = [(0.0, 1.0), (-3.0, 3.0), (0.7, 1.3), (0.0, 0.0), (-0.2, 0.2)]
WHOLE_RANGES = [(0, 1), (-2, 3), (0, 25)]
SHAPE = (1003, 1)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_floats_are_those_of_tensorflow_bit_for_bit(low: float, high: float) -> None:
    import tensorflow as tf

    for seed in SEEDS:
        expected = tf.random.stateless_uniform(SHAPE, seed, low, high)
        assert np.array_equal(draw_uniform(SHAPE, seed, low, high), expected)


@pytest.mark.parametrize(("low", "high"), WHOLE_RANGES)
def test_integers_are_those_of_tensorflow(low: int, high: int) -> None:
    import tensorflow as tf

    for seed in SEEDS:
        expected = tf.random.stateless_uniform(SHAPE, seed, low, high, tf.int32)
        assert np.array_equal(draw_integers(SHAPE, seed, low, high), expected)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_xla_draws_the_same_floats(low: float, high: float) -> None:
    import tensorflow as tf

    by_xla = tf.function(lambda seed: draw_uniform(SHAPE, seed, low, high), jit_compile=True)

    for seed in SEEDS:
        ours, expected = by_xla(tf.constant(seed)), draw_uniform(SHAPE, seed, low, high)
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("low", "high"), WHOLE_RANGES)
def test_xla_draws_the_same_integers(low: int, high: int) -> None:
    import tensorflow as tf

    by_xla = tf.function(lambda seed: draw_integers(SHAPE, seed, low, high), jit_compile=True)

    for seed in SEEDS:
        assert np.array_equal(by_xla(tf.constant(seed)), draw_integers(SHAPE, seed, low, high))
