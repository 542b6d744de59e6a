"""The Keras callbacks of a training; none raises to stop it, for that would skip the other callbacks' ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.ending import State
from pipeline.training.metric import get_monitor
from pipeline.training.network_state import take_checkpoint
from pipeline.training.progress import Progress
from pipeline.training.result import Epoch
from pipeline.training.schedule import set_position

OnImprovement = Callable[[Epoch, Any], None]
"""Takes an epoch that is better than all before it, and the network that is being trained."""


def follow(progress: Progress, epoch_number: Any, position: Any) -> Any:
    """Return a callback that tells ``progress`` how ``fit`` goes on, and asks ``fit`` to stop when it is to end.

    ``epoch_number`` is the variable that the batches go by, ``position`` the one of the learning rate.
    """
    import keras

    class Follow(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            self._piece = progress.scheduler.piece
            set_position(position, self._piece)

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            epoch_number.assign(epoch + 1)
            progress.begin_epoch()

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            progress.end_batch(batch + 1, logs or {})
            if progress.scheduler.piece != self._piece:
                self._piece = progress.scheduler.piece
                set_position(position, self._piece)
            self._stop_at_the_end()

        def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            self.model.stop_evaluating = not progress.goes_on_in_validation()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            progress.end_epoch(logs or {}, learning_rate, self.model.get_weights)
            self._stop_at_the_end()

        def _stop_at_the_end(self) -> None:
            if progress.should_stop:
                self.model.stop_training = True

    return Follow()


def tell_improvements(progress: Progress, on_improvement: OnImprovement) -> Any:
    """Return a callback that gives ``on_improvement`` each epoch that is the best so far, and its network.

    It must come after the one of ``follow``.
    """
    import keras

    class TellImprovements(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if len(progress.epochs) == epoch + 1 and progress.best_epoch is progress.epochs[-1]:
                on_improvement(progress.epochs[-1], self.model)

    return TellImprovements()


def reduce_on_plateau(progress: Progress) -> Any:
    """Return the callback of the schedule ``plateau``; the epochs of a checkpoint give it the state that it had."""
    import keras

    class ReduceOnPlateau(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            super().on_train_begin(logs)
            for epoch in progress.epochs:
                self.model.optimizer.learning_rate = epoch.learning_rate
                self.on_epoch_end(epoch.number - 1, epoch.metrics())

    plan, monitor = progress.plan, get_monitor(progress.plan.plateau_monitor)
    return ReduceOnPlateau(
        monitor.name, factor=plan.plateau_factor, patience=plan.plateau_patience, mode=monitor.direction[:3],
        cooldown=plan.plateau_cooldown, min_lr=plan.plateau_min_learning_rate, verbose=0,
    )  # fmt: skip


def save_checkpoints(progress: Progress, writer: CheckpointWriter) -> Any:
    """Return a callback that gives ``writer`` each finished epoch, and has it write where the training waits to go on.

    It must come after all callbacks that change the optimizer.
    """
    import keras

    class SaveCheckpoints(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if len(progress.epochs) == epoch + 1:
                writer.hold(take_checkpoint(self.model, progress))
            if progress.ending is not None and progress.ending.state is State.WAITING:
                writer.save()

    return SaveCheckpoints()
