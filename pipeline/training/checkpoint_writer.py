"""When a training writes its checkpoint: after each epoch unless that costs too much time, and where it is told to.

Of small networks, whose epochs are short, it is written in milliseconds: a worker that is killed costs one epoch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.training.checkpoint import Checkpoint, write_checkpoint

LEAST_WRITES_APART = 20  # in the time of the last write: a twentieth of the time at most, but for the first write
_log = logging.getLogger(__name__)


@dataclass
class CheckpointWriter:
    """Holds the checkpoint of a training's last epoch, and writes it to ``path``, in the place of the one before.

    ``save`` may be called from any thread: what is held does not change while the training goes on.
    """

    path: Path
    clock: Callable[[], float] = time.monotonic
    _last_end: float = field(init=False)
    _last_seconds: float = field(init=False, default=0.0)
    _held: Checkpoint | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._last_end = self.clock()

    def hold(self, checkpoint: Checkpoint) -> None:
        """Take the checkpoint of an epoch in the place of the one before; write it where the last write is long ago."""
        self._held = checkpoint
        if self.clock() - self._last_end >= LEAST_WRITES_APART * self._last_seconds:
            self.save()

    def save(self) -> None:
        """Write what is held and not written yet.

        Where that is not possible, log a warning: the training goes on without.
        """
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            start = self.clock()
            try:
                write_checkpoint(self.path, held)
            except OSError as error:
                _log.warning(
                    "checkpoint %s could not be written, and the training goes on without it: %s", self.path, error
                )
            self._last_end = self.clock()
            self._last_seconds = self._last_end - start
