"""What a worker process is started with: everything that it needs to do its part of some work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.workers.mailbox import Mailbox
from pipeline.workers.messages import Train


class Runner(Protocol):
    """Does the trainings of a session in the worker's process."""

    def run(self, command: Train) -> None:
        """Do one training; never raises for what happens in it."""


@dataclass(frozen=True)
class Session:
    """Base of sessions, which are pickled to the workers.

    ``log`` takes what libraries print, ``threads`` is what TensorFlow may use in one worker.
    """

    log: Path
    threads: int

    def make_runner(self, mailbox: Mailbox, *, worker_index: int) -> Runner:
        """Load what the trainings need; runs in the worker's process, which imports TensorFlow here."""
        raise NotImplementedError
