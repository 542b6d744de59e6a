"""Keras callbacks, made when Keras is there: each asks ``fit`` to stop, none raises."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from pipeline.training.metric import Metric
from pipeline.training.result import Ending, Epoch


class Course:
    """The course of one training, which the callbacks write and ``train`` reads."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.best_epoch: Epoch | None = None
        self.best_weights: Any = None
        self.ending = Ending.COMPLETE
        self.reason = ""

    def end(self, ending: Ending, reason: str) -> None:
        """Note why the training ends; the first reason stands."""
        if self.ending is Ending.COMPLETE:
            self.ending, self.reason = ending, reason


def make_callbacks(
    *,
    course: Course,
    metric: Metric,
    patience: int,
    n_steps: int,
    on_epoch: Callable[[Epoch], str | None],
    on_batch: Callable[[float], Ending | None],
) -> list[Any]:
    """Return the callbacks of a training, in the order in which they must run.

    ``on_epoch`` gets each finished epoch and returns a reason to prune, or None; ``on_batch`` gets the share of the
    epoch that is done and returns why to stop, or None.
    """
    import keras

    class Divergence(keras.callbacks.Callback):  # type: ignore[misc]
        """Stop at a loss that is no finite number."""

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            self._check("loss", logs)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self._check("loss", logs)
            self._check("val_loss", logs)

        def _check(self, name: str, logs: dict[str, float] | None) -> None:
            value = (logs or {}).get(name, 0.0)
            if not math.isfinite(value):
                course.end(Ending.DIVERGED, f"{name} became {value} in epoch {len(course.epochs) + 1}")
                self.model.stop_training = True

    class EpochRecord(keras.callbacks.Callback):  # type: ignore[misc]
        """Record each finished epoch and keep the weights of the best."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self._start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if course.ending is not Ending.COMPLETE:
                return
            values = {name: float((logs or {})[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
            record = Epoch(
                number=epoch + 1,
                learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                epoch_seconds=time.perf_counter() - self._start,
                **values,
            )
            course.epochs.append(record)
            best = course.best_epoch
            if metric.is_better(getattr(record, metric.name), getattr(best, metric.name) if best else None):
                course.best_epoch, course.best_weights = record, self.model.get_weights()
            reason = on_epoch(record)
            if reason is not None:
                course.end(Ending.PRUNED, reason)
                self.model.stop_training = True

    class Patience(keras.callbacks.Callback):  # type: ignore[misc]
        """Stop when ``patience`` epochs have passed without a better one."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            best = course.best_epoch
            if patience and best is not None and epoch + 1 - best.number >= patience:
                course.end(Ending.EARLY, f"no better {metric.name} within {patience} epochs")
                self.model.stop_training = True

    class Breaks(keras.callbacks.Callback):  # type: ignore[misc]
        """Ask between batches whether to go on."""

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            ending = on_batch((batch + 1) / n_steps)
            if ending is not None:
                course.end(ending, str(ending))
                self.model.stop_training = True

    return [Divergence(), Breaks(), EpochRecord(), Patience()]
