"""How soon a training has something to show."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.tracking.names import State
from pipeline.workers.messages import Advanced, Ended, Event, Started


@dataclass
class Pace:
    """Follows trainings by their events; ``shortest`` is the least of seconds that one took to its first result.

    That is its first epoch, or with folds the first fold: what ends before it counts for nothing.
    """

    clock: Callable[[], float] = time.monotonic
    shortest: float = 0.0
    _begun: dict[int, tuple[float, int]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Started):
            n_epochs = 1 if event.n_folds == 1 else event.n_epochs // event.n_folds
            self._begun[event.number] = (self.clock(), n_epochs)
        elif isinstance(event, Ended):
            start, _ = self._begun.pop(event.number, (None, 0))
            if start is not None and event.state is not State.FAIL:
                self._count(start)
        elif isinstance(event, Advanced) and event.number in self._begun:
            start, n_epochs = self._begun[event.number]
            if event.epoch > n_epochs:
                self._count(start)

    def _count(self, start: float) -> None:
        seconds = self.clock() - start
        self.shortest = min(seconds, self.shortest or seconds)
