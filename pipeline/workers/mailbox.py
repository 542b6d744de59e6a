"""The worker's end of the connection to its coordinator."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

from pipeline.workers.messages import Advanced, Event, Interrupt, Quit, Train

_SECONDS_BETWEEN_EVENTS = 0.2


class Mailbox:
    """Sends events, receives commands."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._is_interrupted = False

    def send(self, event: Event) -> None:
        """Send an event; where the coordinator is gone, the training at work should end."""
        try:
            self._connection.send(event)
        except OSError:
            self._is_interrupted = True

    def receive(self) -> Train | Interrupt | Quit:
        """Wait for the next command; after an interruption, or where the coordinator is gone, it is to quit."""
        if self._is_interrupted:
            return Quit()
        try:
            command: Train | Interrupt | Quit = self._connection.recv()
        except (EOFError, OSError):
            return Quit()
        return command

    def is_interrupted(self) -> bool:
        """Tell whether the training at work should end."""
        while not self._is_interrupted and self._connection.poll():
            self._is_interrupted = isinstance(self.receive(), Interrupt | Quit)
        return self._is_interrupted


class Pulse:
    """Tells the coordinator where a training is, a few times a second."""

    def __init__(self, number: int, mailbox: Mailbox) -> None:
        self._number, self._mailbox = number, mailbox
        self._n_epochs_before = 0
        self._epoch, self._value = 1, None  # type: tuple[int, float | None]
        self._last = 0.0

    def begin_fold(self, n_epochs_before: int) -> None:
        """Note that a fold begins; those before it have ``n_epochs_before`` together, at most."""
        self._n_epochs_before = n_epochs_before
        self._epoch = n_epochs_before + 1

    def batch_done(self, share: float) -> None:
        """Note that ``share`` of the epoch is done."""
        self._maybe_send(share)

    def epoch_done(self, epoch: int, value: float) -> None:
        """Note the end of an epoch of this fold, and its metric."""
        self._epoch, self._value = self._n_epochs_before + epoch + 1, value
        self._maybe_send(0.0)

    def _maybe_send(self, share: float) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_EVENTS:
            self._last = time.monotonic()
            self._mailbox.send(Advanced(self._number, self._epoch, share, self._value))
