"""The coordinator: hands trainings to workers until the work is done, and answers for every one of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Protocol

from pipeline.errors import PipelineError, TrainingsFailed
from pipeline.tracking.names import State
from pipeline.training.device import visible_gpus
from pipeline.workers.messages import (
    Ended,
    Event,
    Interrupt,
    Quit,
    Ready,
    Started,
    StartFailed,
    Train,
)
from pipeline.workers.pace import Pace
from pipeline.workers.session import Session
from pipeline.workers.worker import TRAININGS_PER_WORKER, Worker, describe_exit

MAX_FAILURES_IN_A_ROW = 5
_POLL_SECONDS = 0.25
_INTERRUPT_PATIENCE_SECONDS = 30.0


class Work(Protocol):
    """What there is to train."""

    def n_left(self, n_running: int) -> int:
        """Return how many trainings may still be started while ``n_running`` are at work."""

    def next(self) -> int | None:
        """Return the number of the next training; None where the worker asks for one itself."""

    def fail(self, number: int, reason: str) -> str:
        """Account for a training whose worker died; return the name of its run."""


@dataclass(frozen=True)
class Crew:
    """How many workers there are, and what each may use of the machine."""

    n_workers: int
    gpus: tuple[str, ...]

    @property
    def threads(self) -> int:
        """CPU threads for each worker."""
        return max(1, (os.cpu_count() or 1) // self.n_workers)

    def gpu_of(self, index: int) -> str | None:
        """Return the GPU of the worker ``index``, or None on a machine without."""
        return self.gpus[index % len(self.gpus)] if self.gpus else None


def make_crew(n_workers: int | None) -> Crew:
    """Return a crew of ``n_workers``; None: one, or one a GPU."""
    gpus = visible_gpus()
    return Crew(n_workers or max(1, len(gpus)), gpus)


@dataclass
class Coordinator:
    """Runs one piece of work with workers; ``show`` gets every event, ``deadline`` is of ``time.time()``."""

    session: Session
    work: Work
    crew: Crew
    show: Callable[[Event], None]
    deadline: float | None = None
    _workers: list[Worker] = field(default_factory=list)
    _failures_in_a_row: int = 0
    _last_failure: str = ""
    _pace: Pace = field(default_factory=Pace)

    def run(self) -> None:
        """Train until there is nothing left, or the time is up.

        Raises:
            TrainingsFailed: several trainings in a row failed, or a worker could not start.
        """
        try:
            self._fill_places()
            while self._workers:
                self._hand_out()
                self._hear_workers()
        finally:
            self._end_workers()

    def _fill_places(self) -> None:
        """Start workers for the places that are empty, no more than there are trainings."""
        taken = {worker.index for worker in self._workers}
        n_needed = min(self.crew.n_workers, self._n_running() + self._n_left())
        free = [index for index in range(self.crew.n_workers) if index not in taken]
        for index in free[: max(0, n_needed - len(taken))]:
            self._workers.append(Worker(self.session, index=index, gpu=self.crew.gpu_of(index)))

    def _n_running(self) -> int:
        return sum(worker.is_busy for worker in self._workers)

    def _n_left(self) -> int:
        """Return how many trainings may still be started: none where the time is too short for a first result."""
        is_late = self.deadline is not None and time.time() + self._pace.shortest >= self.deadline
        return 0 if is_late else self.work.n_left(self._n_running())

    def _hand_out(self) -> None:
        for worker in [worker for worker in self._workers if worker.is_idle]:
            if self._n_left() <= 0 or worker.n_trainings >= TRAININGS_PER_WORKER:
                self._workers.remove(worker)
                worker.send(Quit())
                worker.end(patience_seconds=_INTERRUPT_PATIENCE_SECONDS)
                self._fill_places()
            else:
                worker.train(Train(self.work.next(), self.deadline))

    def _hear_workers(self) -> None:
        doors = {worker.connection: worker for worker in self._workers}
        ends = {worker.process.sentinel: worker for worker in self._workers}
        for source in wait([*doors, *ends], timeout=_POLL_SECONDS):
            worker = doors.get(source) or ends[source]  # type: ignore[call-overload, index]
            if worker in self._workers and not self._hear(worker):
                self._replace(worker)

    def _hear(self, worker: Worker) -> bool:
        """Take all that a worker has said; return False where it is gone."""
        try:
            while worker.connection.poll():
                self._take(worker, worker.connection.recv())
        except (EOFError, OSError):
            return False
        return worker.process.is_alive()

    def _take(self, worker: Worker, event: Event) -> None:
        if isinstance(event, StartFailed):
            raise TrainingsFailed(f"a worker could not start: {event.reason}; see {self.session.log}")
        if isinstance(event, Ready | Ended):
            worker.is_idle, worker.is_busy, worker.training = True, False, None
        if isinstance(event, Started):
            worker.training = event.number
            worker.n_trainings += event.n_folds - 1  # each fold builds a network
        if isinstance(event, Ended):
            self._count(event)
        self._pace.hear(event)
        self.show(event)

    def _count(self, event: Ended) -> None:
        if event.state is State.FAIL:
            self._failures_in_a_row += 1
            self._last_failure = event.reason
        else:
            self._failures_in_a_row = 0
        if self._failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise TrainingsFailed(
                f"{MAX_FAILURES_IN_A_ROW} trainings failed one after another, the last of: {self._last_failure}; "
                f"see {self.session.log}"
            )

    def _replace(self, worker: Worker) -> None:
        """Account for a worker that died in a training, and start another in its place."""
        self._workers.remove(worker)
        worker.end(patience_seconds=1.0)
        reason = f"the worker {describe_exit(worker.process.exitcode)}"
        if worker.training is None and worker.n_trainings == 0:
            raise PipelineError(f"{reason} before its first training; see {self.session.log}")
        if worker.training is not None:
            name = self.work.fail(worker.training, reason)
            self._take(worker, Ended(worker.training, name, State.FAIL, None, reason, 0.0))
        self._fill_places()

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.send(Interrupt() if worker.is_busy else Quit())
        for worker in self._workers:
            worker.end(patience_seconds=_INTERRUPT_PATIENCE_SECONDS)
        self._workers.clear()
