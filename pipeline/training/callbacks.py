"""The Keras callback that ties ``fit`` to a course."""

from __future__ import annotations

from typing import Any

from pipeline.training.course import Course


def follow(course: Course, epoch_number: Any) -> Any:
    """Return a callback that tells ``course`` how ``fit`` goes on, and asks ``fit`` to stop when the course is over.

    ``epoch_number`` is the variable that the batches go by. It never raises to stop: that would skip the other callbacks' ends.
    """
    import keras

    class Follow(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            epoch_number.assign(epoch + 1)
            course.begin_epoch()

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            course.end_batch(batch + 1, logs or {})
            self._stop_when_over()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            course.end_epoch(logs or {}, learning_rate, self.model.get_weights)
            self._stop_when_over()

        def _stop_when_over(self) -> None:
            if course.is_over:
                self.model.stop_training = True

    return Follow()
