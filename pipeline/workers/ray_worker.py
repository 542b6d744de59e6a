"""A worker in a process that Ray has started, on whatever machine: the pool speaks to it by calling its methods."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

import ray

from pipeline.data.source import TrainingData
from pipeline.errors import describe_failure
from pipeline.process import prepare_worker
from pipeline.workers.command_environment import CommandEnvironment
from pipeline.workers.events import Command, Died, Event
from pipeline.workers.job import WorkerContext
from pipeline.workers.machine_share import MachineShare
from pipeline.workers.worker import run_worker

GROUPS = {"commands": 1, "events": 1}  # of one thread each, so that the order is kept


class Queues:
    """The worker's end of its connection to the pool: events wait here to be fetched, commands are put here."""

    def __init__(self) -> None:
        self.commands: SimpleQueue[Command] = SimpleQueue()
        self.events: SimpleQueue[Event] = SimpleQueue()

    def send(self, event: Event) -> None:
        """Have an event wait."""
        self.events.put(event)

    def recv(self) -> Command:
        """Wait for the next command, and return it."""
        return self.commands.get()


class RayWorker:
    """Trains in a thread of its own; commands and the fetching of events each have one more (concurrency groups).

    ``data`` are views of the node's shared memory: all workers of a node have one copy of the images.
    """

    def __init__(
        self, environment: CommandEnvironment, context: WorkerContext, share: MachineShare, data: TrainingData
    ) -> None:  # fmt: skip
        environment.enter()
        prepare_worker(context.log)
        self._queues = Queues()
        threading.Thread(target=self._run, args=(context, share, data), daemon=True).start()

    def node(self) -> str:
        """Return Ray's name of the node that this is."""
        return str(ray.get_runtime_context().get_node_id())

    @ray.method(concurrency_group="commands")  # type: ignore[untyped-decorator]
    def take(self, command: Command) -> None:
        """Take a command."""
        self._queues.commands.put(command)

    @ray.method(concurrency_group="events")  # type: ignore[untyped-decorator]
    def listen(self, seconds: float) -> list[Event]:
        """Return what has been said since the last call; wait for it some seconds at most."""
        events: list[Event] = []
        with suppress(Empty):
            events.append(self._queues.events.get(timeout=seconds))
            while True:
                events.append(self._queues.events.get_nowait())
        return events

    def _run(self, context: WorkerContext, share: MachineShare, data: TrainingData) -> None:
        try:
            run_worker(self._queues, context, share, data)
        except BaseException as error:  # the process of an actor outlives its threads
            failure = describe_failure(error) if isinstance(error, Exception) else repr(error)
            self._queues.send(Died(f"a worker ended: {failure}"))
            raise
