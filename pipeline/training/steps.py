"""Groups of training or validation steps, as one TensorFlow function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.data.loader import Loader

Step = Callable[[Any], Any]
"""What trains or validates on a batch."""


def group_steps(network: Any, loader: Loader | None = None, validation_loader: Loader | None = None) -> None:
    """Have a compiled network run its steps in groups of ``steps_per_execution``, each traced once.

    With a loader, batches have what it takes in the place of images, and it makes the images of each step on its
    device; XLA compiles both together where it can.

    Its metrics must be objects and not names. Keras's own loop traces each step twice, since the optimizer and metrics
    given by name make their variables in the first trace, and it runs the step behind two conditions.
    """
    network.optimizer.build(network.trainable_variables)
    network.train_function = _grouped(network, _one_step(network, network.train_step, loader))
    network.test_function = _grouped(network, _one_step(network, network.test_step, validation_loader))


def _one_step(network: Any, step: Step, loader: Loader | None) -> Step:
    """Return a step on a batch as the dataset has it, compiled by XLA where the network asks for it."""
    import tensorflow as tf

    def compiled(function: Step) -> Step:
        if not network.jit_compile:
            return function
        whole: Step = tf.function(function, jit_compile=True, reduce_retracing=True)
        return whole

    if loader is None:
        return compiled(step)
    step = step if loader.is_compilable else compiled(step)

    def load_and_step(batch: Any) -> Any:
        return step((loader(*batch[0]), *batch[1:]))

    return compiled(load_and_step) if loader.is_compilable else load_and_step


def _grouped(network: Any, one_step: Step) -> Callable[[Any], Any]:
    """Return what Keras calls with an iterator of batches for the figures of an epoch until then."""
    import tensorflow as tf

    n_at_once = network.steps_per_execution

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def run_group(iterator: Any) -> Any:
        def goes_on(number: Any, batch: Any) -> Any:
            return (number < n_at_once) & batch.has_value()

        def run_step(number: Any, batch: Any) -> Any:
            with tf.device("CPU"):  # where seeds are wanted, and from where the rest is copied
                parts = batch.get_value()
            one_step(parts)
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
