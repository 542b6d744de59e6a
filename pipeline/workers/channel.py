"""The worker's end of its connection to the pool."""

from __future__ import annotations

import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from pipeline.training.ending import Cause, Ending
from pipeline.workers.events import BatchEnd, Command, EpochEnd, Event, Report, Stop, Verdict
from pipeline.workers.job import Job

_SECONDS_BETWEEN_EVENTS = 0.2
_POOL_GONE = Ending(Cause.INTERRUPTED, "the command that ran it is gone")


class Channel:
    """Sends events and reports, receives commands; it knows how far the job at work is."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._stop: Ending | None = None
        self._number, self._fold, self._epoch = 0, 1, 1
        self._last_event = 0.0

    def send(self, event: Event) -> None:
        """Send an event; where the pool is gone, the training at work should end."""
        try:
            self._connection.send(event)
        except OSError:
            self._stop = self._stop or _POOL_GONE

    def next_job(self) -> Job | None:
        """Wait for the next job; None where there is none any more."""
        self._stop = None
        while not isinstance(command := self._receive(), Job | None):
            pass  # a stop that came too late for the job before
        if command is None:
            return None
        self._number = command.number
        return command

    def start_fold(self, fold: int, epoch: int) -> None:
        """Note that the job at work starts a fold in the given epoch."""
        self._fold, self._epoch = fold, epoch

    def ask(self, report: Report) -> Verdict:
        """Send a report and wait for the verdict on it; where the training was told to stop meanwhile, it says so."""
        self.send(report)
        if isinstance(report, EpochEnd):
            self._epoch = report.epoch.number + 1
        verdict = Verdict(_POOL_GONE)
        while self._stop is not _POOL_GONE:
            command = self._receive()
            if isinstance(command, Verdict):
                verdict = command
                break
            self._heed(command)
        return replace(verdict, ending=verdict.ending or self._stop)

    def end_batch(self, share: float) -> Ending | None:
        """Tell, a few times a second, that ``share`` of an epoch is done; return why the training should end."""
        if time.monotonic() - self._last_event >= _SECONDS_BETWEEN_EVENTS:
            self._last_event = time.monotonic()
            self.send(BatchEnd(self._number, self._fold, self._epoch, share))
        while self._stop is None and self._connection.poll():
            self._heed(self._receive())
        return self._stop

    def _receive(self) -> Command:
        try:
            command: Command = self._connection.recv()
        except (EOFError, OSError):
            return None
        return command

    def _heed(self, command: Command) -> None:
        if isinstance(command, Stop):
            self._stop = command.ending
        elif command is None:
            self._stop = _POOL_GONE
