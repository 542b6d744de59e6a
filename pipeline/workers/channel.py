"""The worker's end of its connection to the pool."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from typing import Protocol

from pipeline.training.ending import Cause, Ending, State
from pipeline.workers.events import BatchEnd, Command, Ended, EpochEnd, Event, Report, Stop, Verdict
from pipeline.workers.job import Job

_SECONDS_BETWEEN_EVENTS = 0.2
_POOL_GONE = Ending(Cause.INTERRUPTED, "the command that ran it is gone")


class PoolConnection(Protocol):
    """A connection to the pool: the worker's end of a pipe, or the queues of an actor.

    Both methods raise OSError or EOFError where the pool is gone.
    """

    def send(self, event: Event, /) -> None:
        """Send an event."""

    def recv(self) -> Command:
        """Wait for the next command, and return it."""


class Channel:
    """Sends events and reports, takes commands; it knows how far the job at work is.

    A thread listens, so that what a job must not lose is saved at once where it is told to pause, whatever the thread
    that trains is doing: tracing, a long group of steps, or writing artifacts.
    """

    def __init__(self, connection: PoolConnection) -> None:
        self._connection = connection
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._save: Callable[[], None] = _nothing
        self._saving = threading.Lock()
        self._stop: Ending | None = None
        self._is_over = False
        self._number, self._fold, self._epoch = 0, 1, 1
        self._last_event = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, event: Event) -> None:
        """Send an event; where the pool is gone, the training at work should end."""
        if isinstance(event, Ended):
            with self._saving:
                self._save = _nothing  # the pool removes the checkpoints of a job that is over
        try:
            self._connection.send(event)
        except OSError:
            self._stop = self._stop or _POOL_GONE

    def next_job(self) -> Job | None:
        """Wait for the next job; None where there is none any more."""
        self._stop = None
        while not self._is_over:
            command = self._commands.get()
            if isinstance(command, Job):
                self._number = command.number
                return command
            self._is_over = command is None  # else a stop that came too late for the job before
        return None

    def start_fold(self, fold: int, epoch: int, save: Callable[[], None]) -> None:
        """Note that the job at work starts a fold in the given epoch; ``save`` is called where it is told to pause."""
        self._fold, self._epoch, self._save = fold, epoch, save

    def save(self) -> None:
        """Save what the job at work must not lose; any thread may ask for it."""
        with self._saving:
            self._save()

    def ask(self, report: Report) -> Verdict:
        """Send a report and wait for the verdict on it; where the training was told to stop meanwhile, it says so."""
        self.send(report)
        if isinstance(report, EpochEnd):
            self._epoch = report.epoch.number + 1
        verdict = Verdict(_POOL_GONE)
        while self._stop is not _POOL_GONE:
            command = self._commands.get()
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
        while self._stop is None and not self._commands.empty():
            self._heed(self._commands.get())
        return self._stop

    def _heed(self, command: Command) -> None:
        if isinstance(command, Stop):
            self._stop = command.ending
        elif command is None:
            self._stop, self._is_over = _POOL_GONE, True

    def _listen(self) -> None:
        """Queue the commands as they come, until there are none any more."""
        command: Command = Stop(_POOL_GONE)
        while command is not None:
            command = self._receive()
            if isinstance(command, Stop) and command.ending.state is State.WAITING:
                self.save()
            self._commands.put(command)

    def _receive(self) -> Command:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            return None


def _nothing() -> None:
    """Save nothing: no job is at work."""
