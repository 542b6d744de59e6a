"""Workers on the machines of a Ray cluster: each is an actor, which Ray places where there is room."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray

from pipeline.data.source import TrainingData
from pipeline.workers.cluster_share import count_devices, count_places, share_cluster
from pipeline.workers.command_environment import CommandEnvironment
from pipeline.workers.events import Command, Died, Event, Note
from pipeline.workers.job import WorkerContext
from pipeline.workers.ray_cluster import check_nodes, connect, is_gone
from pipeline.workers.ray_worker import GROUPS, RayWorker

_LISTEN_SECONDS = 5.0
_PLACED_SECONDS = 60.0  # within which a worker starts where there is room
_LONGEST_REASON = 300


@dataclass
class _Actor:
    """An actor; ``node`` and ``words``, what it says next, are to come. ``is_cut``: some of its words are lost."""

    handle: Any
    node: Any
    words: Any
    start: float
    is_heard: bool = False
    is_cut: bool = False
    is_gone: bool = False


class RayExecutor:
    """Worker actors in a cluster; those of a node that dies are started where there is room, or when there is.

    Ray repeats nothing by itself: a job whose worker is gone goes on from its checkpoint, which all nodes see.
    """

    def __init__(self, context: WorkerContext, data: TrainingData) -> None:
        """Connect to the cluster of the settings, check its nodes, and put the images into its shared memory.

        Raises:
            SettingError: the cluster cannot be used; the message says what to set.
        """
        settings = context.settings
        self._environment, self._context = CommandEnvironment.of_this_process(), context
        self._nodes = connect(settings.cluster)
        check_nodes(self._nodes, context.store, settings.dataset, self._environment)
        self._data = ray.put(TrainingData(data.images, data.partition, data.folds))  # without images of other sizes
        self.n_places = self.n_workers = count_places(
            self._nodes, workers=settings.workers, workers_per_gpu=settings.workers_per_gpu
        )
        self.n_devices = min(self.n_places, count_devices(self._nodes))
        self._actors: dict[int, _Actor] = {}

    def start(self, worker: int) -> None:
        """Start an actor, on whatever node has room for it."""
        share = share_cluster(self._nodes, n_workers=self.n_workers)
        kind: Any = ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups=dict(GROUPS))(RayWorker)
        handle = kind.options(
            num_cpus=share.n_cpus, num_gpus=share.n_gpus, scheduling_strategy="SPREAD"
        ).remote(self._environment, self._context, share.machine, self._data)  # fmt: skip
        self._actors[worker] = _Actor(handle, handle.node.remote(), _listen(handle), time.monotonic())

    def send(self, worker: int, command: Command) -> None:
        """Have the actor take a command."""
        self._actors[worker].handle.take.remote(command)

    def poll(self, timeout_seconds: float) -> list[tuple[int, Event]]:
        """Wait until an actor has said something, or is gone, and return what all of them have said."""
        asked = {one.words: worker for worker, one in self._actors.items() if not one.is_gone}
        if not asked:
            time.sleep(timeout_seconds)
            return []
        ready, _ = ray.wait(list(asked), num_returns=1, timeout=timeout_seconds)
        if ready:
            ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        heard = [(asked[words], event) for words in ready for event in self._hear(self._actors[asked[words]])]
        return [*heard, *self._waiting()]

    def kill(self, worker: int, *, patience_seconds: float = 0.0) -> None:
        """End an actor at once: whatever a worker without a job has left to do, others do as well."""
        with suppress(ray.exceptions.RayError):
            ray.kill(self._actors.pop(worker).handle)

    def _hear(self, actor: _Actor) -> list[Event]:
        """Return what an actor has said; its death comes last."""
        actor.is_heard = True
        events: list[Event] = []
        try:
            events = ray.get(actor.words)
        except ray.exceptions.ActorUnavailableError:
            actor.is_cut = True  # whether it is dead, the next words tell
        except ray.exceptions.RayError as error:
            events = [_death(actor, error)]
        else:
            if actor.is_cut:
                events = [Died("the connection to a worker was lost")]
        deaths = [number for number, event in enumerate(events, start=1) if isinstance(event, Died)]
        actor.is_gone = bool(deaths)
        if not deaths:
            actor.words = _listen(actor.handle)
        return events[: deaths[0]] if deaths else events

    def _waiting(self) -> list[tuple[int, Event]]:
        """Return a note for each actor that has found no room yet, once."""
        late = [
            (worker, one)
            for worker, one in self._actors.items()
            if not one.is_heard and time.monotonic() - one.start > _PLACED_SECONDS
        ]
        for _, one in late:
            one.is_heard = True
        return [(worker, Note("a worker waits until the cluster has room for it")) for worker, _ in late]


def _listen(handle: Any) -> Any:
    return handle.listen.remote(_LISTEN_SECONDS)


def _death(actor: _Actor, error: Exception) -> Died:
    try:
        node = ray.get(actor.node, timeout=0)
    except ray.exceptions.RayError:  # it never started
        node = ""
    if is_gone(node):
        return Died("a worker was lost with its node", with_machine=True)
    return Died(f"a worker died: {' '.join(str(error).split())[:_LONGEST_REASON]}")
