"""Where workers run: a small protocol, and processes of this machine as its first implementation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

from pipeline.process import count_cpus, count_oom_kills, describe_exit, end_process, start_process
from pipeline.training.device import visible_gpus
from pipeline.workers.events import Command, Died, Event
from pipeline.workers.job import WorkerContext
from pipeline.workers.machine_share import MachineShare, share_machine
from pipeline.workers.worker import run_worker


class Executor(Protocol):
    """Starts, reaches and ends workers, known by their numbers from 0 to ``n_workers``.

    There is place for ``n_places``; workers that are started from now on share the machine with ``n_workers`` in all.
    ``n_devices`` workers do not slow each other down.
    """

    n_places: int
    n_workers: int
    n_devices: int

    def start(self, worker: int) -> None:
        """Start a worker; it says that it is ready, or dies."""

    def send(self, worker: int, command: Command) -> None:
        """Send a command; a worker that is gone gets none."""

    def poll(self, timeout_seconds: float) -> list[tuple[int, Event]]:
        """Return what workers have said since, waiting for it; the last word of one that is gone is that it died."""

    def kill(self, worker: int, *, patience_seconds: float = 0.0) -> None:
        """End a worker, at once or where it has not ended by itself after some patience."""


@dataclass
class _Process:
    process: SpawnProcess
    connection: Connection[Any, Any]
    n_oom_kills: int = field(default_factory=count_oom_kills)
    is_gone: bool = False


class LocalExecutor:
    """Worker processes on this machine; each has its share of CPU threads and GPUs."""

    def __init__(self, context: WorkerContext) -> None:
        """Take as many workers as the settings say: ``workers`` in all, else ``workers_per_gpu`` a GPU, else one."""
        self._context, self._gpus = context, visible_gpus()
        settings, n_gpus = context.settings, len(self._gpus)
        self.n_places = self.n_workers = settings.workers or max(1, n_gpus * settings.workers_per_gpu)
        self.n_devices = min(self.n_places, max(1, n_gpus))
        self._processes: dict[int, _Process] = {}

    def share_of(self, worker: int) -> MachineShare:
        """Return what a worker that is started now has of the machine."""
        return share_machine(worker, n_workers=self.n_workers, gpus=self._gpus, n_cpus=count_cpus())

    def start(self, worker: int) -> None:
        """Start the process of a worker."""
        arguments = self._context, self.share_of(worker)
        started = start_process(run_worker, *arguments, log=self._context.log, name=f"worker-{worker}")
        self._processes[worker] = _Process(*started)

    def send(self, worker: int, command: Command) -> None:
        """Send a command through the worker's pipe."""
        with suppress(OSError):  # where it is gone, poll says so
            self._processes[worker].connection.send(command)

    def poll(self, timeout_seconds: float) -> list[tuple[int, Event]]:
        """Wait on all pipes and processes, and read what has come."""
        alive = {worker: one for worker, one in self._processes.items() if not one.is_gone}
        sources: list[Any] = [source for one in alive.values() for source in (one.connection, one.process.sentinel)]
        ready = wait(sources, timeout=timeout_seconds)
        heard = [
            (worker, event)
            for worker, one in alive.items()
            if one.connection in ready or one.process.sentinel in ready
            for event in _read(one)
        ]
        for worker, event in heard:
            self._processes[worker].is_gone |= isinstance(event, Died)
        return heard

    def kill(self, worker: int, *, patience_seconds: float = 0.0) -> None:
        """End the process of a worker."""
        gone = self._processes.pop(worker)
        end_process(gone.process, patience_seconds=patience_seconds)
        gone.connection.close()


def _read(worker: _Process) -> Iterator[Event]:
    """Yield what a worker has said; its death comes last, and only where it has not told it itself."""
    event: Event | None = None
    try:
        while worker.connection.poll():
            event = worker.connection.recv()
            yield event
    except (EOFError, OSError):
        end_process(worker.process, patience_seconds=1.0)
    if not worker.process.is_alive() and not isinstance(event, Died):
        yield Died(f"a worker {describe_exit(worker.process.exitcode, worker.n_oom_kills)}")
