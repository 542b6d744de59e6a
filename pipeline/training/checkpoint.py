"""Checkpoints: files from which a training goes on exactly where it was after an epoch."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.cache import make_room, write_whole
from pipeline.data.image_set import Array
from pipeline.training.budget import StepSchedule
from pipeline.training.ending import Cause, Ending
from pipeline.training.result import Epoch

MOST_BYTES = 10 * 10**9
_FORMAT = 2
_ARRAYS = ("variables", "optimizer_variables", "best_weights")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after the last of its ``epochs``.

    ``variables`` are the network's, random generators included; the optimizer's hold the position in the schedule.
    ``best_weights`` are those of the best epoch. ``steps`` is the schedule as far as it is known, ahead of the epochs
    too; ``seconds_used`` count against a budget of seconds. ``ending`` is None where the training goes on.
    """

    variables: list[Array]
    optimizer_variables: list[Array]
    best_weights: list[Array]
    epochs: tuple[Epoch, ...]
    train_seconds: float
    steps: StepSchedule
    seconds_used: float = 0.0
    ending: Ending | None = None


def write_checkpoint(path: Path, checkpoint: Checkpoint, *, most_bytes: int = MOST_BYTES) -> None:
    """Write a checkpoint as ``.npz`` under a temporary name, then rename it.

    Of the other checkpoints in the folder, those with the same ending of the name, the longest unused are removed
    until all have no more than ``most_bytes``.

    Raises:
        OSError: it cannot be written; the one before it stays.
    """
    arrays = {f"{name}.{i}": array for name in _ARRAYS for i, array in enumerate(getattr(checkpoint, name))}
    buffer = io.BytesIO()
    np.savez(buffer, scalars=np.frombuffer(_scalars(checkpoint).encode(), np.uint8), **arrays)
    write_whole(path, [buffer.getvalue()])
    with contextlib.suppress(OSError):  # another process has removed the same ones
        make_room(path, path.parent.glob(f"*{path.suffix}*"), most_bytes=most_bytes)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint in ``path``; None where there is none, a damaged one or one of another format."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            checkpoint = _parse(arrays)
    except Exception as error:  # whatever a damaged file leads to, the training starts from its beginning
        _log.warning(
            "%s is no checkpoint that can be read, and is left aside: %s: %s", path, type(error).__name__, error
        )
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return checkpoint


def _scalars(checkpoint: Checkpoint) -> str:
    """Return all but the arrays as JSON, which Python reads back to the same floats, NaN included."""
    scalars = {
        "format": _FORMAT,
        "n_arrays": {name: len(getattr(checkpoint, name)) for name in _ARRAYS},
        "epochs": [asdict(epoch) for epoch in checkpoint.epochs],
        "train_seconds": checkpoint.train_seconds,
        "steps": checkpoint.steps.to_dict(),
        "seconds_used": checkpoint.seconds_used,
        "ending": None if checkpoint.ending is None else asdict(checkpoint.ending),
    }
    return json.dumps(scalars)


def _parse(arrays: Mapping[str, Array]) -> Checkpoint:
    scalars: dict[str, Any] = json.loads(arrays["scalars"].tobytes().decode())
    if scalars["format"] != _FORMAT:
        raise ValueError(f"format {scalars['format']}, where {_FORMAT} is read")
    groups = {name: [arrays[f"{name}.{i}"] for i in range(scalars["n_arrays"][name])] for name in _ARRAYS}
    ending = scalars["ending"]
    return Checkpoint(
        **groups,
        epochs=tuple(Epoch(**epoch) for epoch in scalars["epochs"]),
        train_seconds=float(scalars["train_seconds"]),
        steps=StepSchedule.from_dict(scalars["steps"]),
        seconds_used=float(scalars["seconds_used"]),
        ending=None if ending is None else Ending(Cause(ending["cause"]), ending["detail"]),
    )
