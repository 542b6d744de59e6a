"""Take a checkpoint of a network in training, and set one into a network."""

from __future__ import annotations

import logging
from typing import Any

from pipeline.data.image_set import Array
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.ending import State
from pipeline.training.progress import Progress

_log = logging.getLogger(__name__)


def take_checkpoint(network: Any, progress: Progress) -> Checkpoint:
    """Return the state of a training between two epochs; one that waits to go on has not ended."""
    goes_on = progress.ending is None or progress.ending.state is State.WAITING
    return Checkpoint(
        variables=_arrays(network.variables),
        optimizer_variables=_arrays(network.optimizer.variables),
        best_weights=progress.best_weights,
        epochs=tuple(progress.epochs),
        train_seconds=progress.train_seconds,
        steps=progress.scheduler.steps,
        seconds_used=progress.scheduler.seconds_used,
        ending=None if goes_on else progress.ending,
    )


def restore(network: Any, checkpoint: Checkpoint) -> bool:
    """Set a compiled network and its optimizer to a checkpoint, and return whether it fits them; if not, log why."""
    network.optimizer.build(network.trainable_variables)
    pairs = [
        (network.variables, checkpoint.variables),
        (network.optimizer.variables, checkpoint.optimizer_variables),
        (network.weights, checkpoint.best_weights),
    ]
    if any(_shapes(ours) != _shapes(theirs) for ours, theirs in pairs):
        _log.warning("a checkpoint after epoch %d is of another network, and is left aside", len(checkpoint.epochs))
        return False
    for variables, arrays in pairs[:2]:
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    return True


def _arrays(variables: Any) -> list[Array]:
    from keras import ops

    return [ops.convert_to_numpy(variable) for variable in variables]


def _shapes(arrays: Any) -> list[tuple[tuple[int, ...], str]]:
    return [(tuple(array.shape), str(array.dtype)) for array in arrays]
