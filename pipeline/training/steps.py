"""Groups of training or validation steps, as one TensorFlow function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def group_steps(network: Any) -> None:
    """Have a compiled network run its steps in groups of ``steps_per_execution``, each traced once.

    Its metrics must be objects and not names. Keras's own loop traces each step twice, since the optimizer and metrics
    given by name make their variables in the first trace, and it runs the step behind two conditions.
    """
    network.optimizer.build(network.trainable_variables)
    network.train_function = _grouped(network, network.train_step)
    network.test_function = _grouped(network, network.test_step)


def _grouped(network: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what Keras calls with an iterator of batches for the figures of an epoch until then."""
    import tensorflow as tf

    n_at_once = network.steps_per_execution
    one_step = tf.function(step, jit_compile=True, reduce_retracing=True) if network.jit_compile else step

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def run_group(iterator: Any) -> Any:
        def goes_on(number: Any, batch: Any) -> Any:
            return (number < n_at_once) & batch.has_value()

        def run_step(number: Any, batch: Any) -> Any:
            one_step(batch.get_value())
            is_last = number + 1 == n_at_once  # the batch after it is the next group's
            return number + 1, tf.cond(is_last, lambda: batch, iterator.get_next_as_optional)

        n_steps, _ = tf.while_loop(goes_on, run_step, (0, iterator.get_next_as_optional()))
        return n_steps, network.get_metrics_result()

    def run(iterator: Any) -> Any:
        n_steps, figures = run_group(iterator)
        if n_steps == 0:
            raise StopIteration
        return figures

    return run
