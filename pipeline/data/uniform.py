"""Uniform random numbers that are the same whether TensorFlow's kernels or XLA draw them.

``tf.random.stateless_uniform`` gives others within XLA: negative seeds are taken for other numbers, and the fraction of
a float is made of other bits. Here both take the way of TensorFlow's kernels for CPU and GPU.
"""

from __future__ import annotations

from typing import Any

Tensor = Any

_PHILOX = 1  # the algorithm of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011)
_SCRAMBLING_KEY = 0x02461E293EC8F720  # TensorFlow's own


def draw_uniform(shape: Tensor, seed: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return what ``tf.random.stateless_uniform`` draws from ``low`` to ``high`` outside XLA, as float32.

    The lower 23 bits are the fraction of a number from 1 to 2.
    """
    import tensorflow as tf

    key, counter = _key_and_counter(seed)
    bits = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=tf.uint32
    )
    least, most = tf.constant(low, tf.float32), tf.constant(high, tf.float32)
    return (tf.bitcast((bits & 0x7FFFFF) | 0x3F800000, tf.float32) - 1.0) * (most - least) + least


def draw_integers(shape: Tensor, seed: Tensor, low: int, high: int) -> Tensor:
    """Return what ``tf.random.stateless_uniform`` draws from ``low`` to ``high - 1`` outside XLA, as int32."""
    import tensorflow as tf

    key, counter = _key_and_counter(seed)
    return tf.raw_ops.StatelessRandomUniformIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, minval=tf.constant(low), maxval=tf.constant(high)
    )


def _key_and_counter(seed: Tensor) -> tuple[Tensor, Tensor]:
    """Scramble two seeds as TensorFlow does: into the key, and the upper half of the counter, of the generator."""
    import tensorflow as tf

    seeds = tf.bitcast(tf.cast(seed, tf.int64), tf.uint64)
    mixed = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=(2,), key=tf.constant([_SCRAMBLING_KEY], tf.uint64), counter=seeds, alg=_PHILOX, dtype=tf.uint64
    )
    return mixed[:1], tf.stack([tf.constant(0, tf.uint64), mixed[1]])
