"""When a training writes its checkpoint: as often as it hardly costs time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.training.checkpoint import Checkpoint, write_checkpoint

LEAST_SECONDS_APART = 1.0
LEAST_WRITES_APART = 100  # in the time of the last write: a hundredth of the time at most, but for the first write
_log = logging.getLogger(__name__)


@dataclass
class CheckpointWriter:
    """Writes the checkpoints of one training to ``path``, each in the place of the one before."""

    path: Path
    clock: Callable[[], float] = time.monotonic
    _last_end: float = field(init=False)
    _last_seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._last_end = self.clock()

    def is_due(self) -> bool:
        """Tell whether the last write, or the start, was long enough ago."""
        apart = max(LEAST_SECONDS_APART, LEAST_WRITES_APART * self._last_seconds)
        return self.clock() - self._last_end >= apart

    def write(self, take: Callable[[], Checkpoint]) -> None:
        """Write what ``take`` returns; where that is not possible, log a warning: the training goes on without."""
        start = self.clock()
        try:
            write_checkpoint(self.path, take())
        except OSError as error:
            _log.warning(
                "checkpoint %s could not be written, and the training goes on without it: %s", self.path, error
            )
        self._last_end = self.clock()
        self._last_seconds = self._last_end - start
