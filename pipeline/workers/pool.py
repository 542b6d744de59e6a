"""The pool: hands the jobs of a source to workers until none is left, and handles failures and deaths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.disk import Reserve
from pipeline.errors import DiskFull, TrainingsFailed
from pipeline.interrupts import interrupts_noted
from pipeline.tracking.names import MAX_DEATHS
from pipeline.training.ending import Cause, Ending, State
from pipeline.workers.events import Died, Ended, EpochEnd, Event, FoldEnd, Ready, Started, Stop, Verdict
from pipeline.workers.executor import Executor
from pipeline.workers.job import Job
from pipeline.workers.source import Source

# Memory grows with every network that TensorFlow builds in a process, and only the end of the process frees it.
TRAININGS_PER_WORKER = 25
MAX_FAILURES_IN_A_ROW = 5
_POLL_SECONDS = 0.25
_STOP_PATIENCE_SECONDS = 30.0
_PAUSE_PATIENCE_SECONDS = 3.0  # of the 10 within which an interrupted command ends, also on a busy machine
_QUIT_PATIENCE_SECONDS = 5.0
_OVERDUE_FACTOR, _OVERDUE_SECONDS = 2.0, 60.0  # beyond the seconds of a job's budget it is stopped, and then killed


@dataclass
class _Worker:
    """The state of a worker: its job, when that started, and on how many splits it trains."""

    job: Job | None = None
    is_ready: bool = False
    is_stopped: bool = False
    n_trainings: int = 0
    n_folds: int = 1
    start: float = 0.0

    @property
    def is_idle(self) -> bool:
        return self.is_ready and self.job is None


@dataclass
class Pool:
    """Trains what ``source`` chooses where ``executor`` says; ``show`` gets every event.

    No job is started, and those at work are stopped, at the ``deadline`` (of ``time.time()``).
    """

    source: Source
    executor: Executor
    show: Callable[[Event], None]
    log: Path
    deadline: float | None = None
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _failures_in_a_row: int = 0
    _deaths_in_a_row: int = 0
    _first_result_seconds: float | None = None

    def run(self) -> None:
        """Train until there is nothing left, or the time is up.

        After Ctrl-C or SIGTERM the jobs at work pause, each with a checkpoint; a second Ctrl-C ends all at once.

        Raises:
            KeyboardInterrupt: it was interrupted.
            TrainingsFailed: trainings failed, or workers died, several times in a row.
            DiskFull: the disk is full; the jobs at work pause as after Ctrl-C.
        """
        with interrupts_noted() as interrupts:
            reserve = Reserve.beside(self.log)
            try:
                with reserve.kept():
                    self._divide_machine()
                    self._start_workers()
                    while not interrupts and (self._n_running() or self._n_left()):
                        reserve.check()
                        self._hand_out()
                        for number, event in self.executor.poll(_POLL_SECONDS):
                            self._take(number, event)
                        self._stop_at_deadline()
                        self._end_overdue()
                        self._divide_machine()
                        self._start_workers()
                    if not interrupts:
                        self._dismiss(*self._workers)
            finally:
                self._end_workers()
            if interrupts:
                raise KeyboardInterrupt

    def _n_running(self) -> int:
        return sum(worker.job is not None for worker in self._workers.values())

    def _n_left(self) -> int:
        """Return how many jobs may still be started: none where the time is too short for a first result."""
        needed = self._first_result_seconds or 0.0
        is_late = self.deadline is not None and time.time() + needed >= self.deadline
        return 0 if is_late else max(0, self.source.n_left(self._n_running()))

    def _divide_machine(self) -> None:
        """Replace the workers where the next jobs want more or fewer of them, each with its share of the machine."""
        most = self.source.most_workers() if not self._n_running() else None
        n_workers = min(self.executor.n_places, most or self.executor.n_places)
        if n_workers != self.executor.n_workers and not self._n_running():
            self._dismiss(*self._workers)
            self.executor.n_workers = n_workers

    def _start_workers(self) -> None:
        """Start as many workers as there are places, and jobs for them."""
        n_needed = min(self.executor.n_workers, self._n_running() + self._n_left())
        free = [number for number in range(self.executor.n_workers) if number not in self._workers]
        for number in free[: max(0, n_needed - len(self._workers))]:
            self.executor.start(number)
            self._workers[number] = _Worker()

    def _hand_out(self) -> None:
        for number in [number for number, worker in self._workers.items() if worker.is_idle]:
            if self._n_left() == 0:
                return
            if self._workers[number].n_trainings >= TRAININGS_PER_WORKER:
                self._dismiss(number)
            elif (job := self.source.next()) is not None:
                self._workers[number].job = job
                self.executor.send(number, job)

    def _dismiss(self, *numbers: int) -> None:
        """Have workers without a job end by themselves."""
        for number in numbers:
            self.executor.send(number, None)
        for number in numbers:
            self.executor.kill(number, patience_seconds=_QUIT_PATIENCE_SECONDS)
            del self._workers[number]

    def _take(self, number: int, event: Event) -> None:
        worker = self._workers[number]
        if isinstance(event, Ready):
            worker.is_ready = True
        elif isinstance(event, Started):
            worker.start, worker.n_folds = time.time(), event.n_folds
            worker.n_trainings += event.n_folds  # each fold builds a network
        elif isinstance(event, EpochEnd | FoldEnd) and worker.job is not None:
            self.executor.send(number, self.source.report(worker.job, event))
            self._deaths_in_a_row = 0
            self._note_first_result(worker, event)
        elif isinstance(event, Ended):
            event = self._finish(worker, event)
        elif isinstance(event, Died):
            self._bury(number, event)
            return
        self.show(event)
        if isinstance(event, Ended):
            self._count(event.ending)

    def _note_first_result(self, worker: _Worker, event: EpochEnd | FoldEnd) -> None:
        """Note the shortest time to a first result: the first epoch, or with folds the first of them."""
        if worker.n_folds == 1:
            is_result = isinstance(event, EpochEnd) and event.epoch.number == 1
        else:
            is_result = isinstance(event, FoldEnd)
        if is_result and event.fold == 1:
            seconds = time.time() - worker.start
            self._first_result_seconds = min(seconds, self._first_result_seconds or seconds)

    def _finish(self, worker: _Worker, ended: Ended) -> Ended:
        assert worker.job is not None
        job, worker.job, worker.is_stopped, worker.start = worker.job, None, False, 0.0
        return self.source.finish(job, ended)

    def _count(self, ending: Ending) -> None:
        if ending.cause is Cause.DISK_FULL:
            raise DiskFull(ending.detail)
        if ending.state is State.FAIL:
            self._count_failure(ending.reason)
        elif ending.state is not State.WAITING:
            self._failures_in_a_row = self._deaths_in_a_row = 0

    def _bury(self, number: int, died: Died) -> None:
        """Account for a worker that died; its job goes on in another one, unless too many have died in it."""
        worker = self._workers.pop(number)
        self.executor.kill(number)
        self.show(replace(died, name=worker.job.name if worker.job else ""))
        if worker.job is not None:
            ended = self._lose(worker.job, died)
            if ended.ending.state is State.FAIL:
                self.show(ended)
                self._count(ended.ending)
        if not died.with_machine:
            self._count_death(died.reason)

    def _lose(self, job: Job, died: Died) -> Ended:
        """End a job whose worker died: it waits for another worker, or fails where too many have died in it."""
        ending = Ending(Cause.PAUSED, died.reason)
        if not died.with_machine:
            job = replace(job, deaths=job.deaths + 1)
            if job.deaths >= MAX_DEATHS:
                ending = Ending(Cause.FAILED, f"{died.reason}; {job.deaths} workers have died in it")
        return self.source.finish(job, Ended(job.number, job.name, ending, None, 0.0))

    def _count_failure(self, reason: str) -> None:
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise TrainingsFailed(
                f"{MAX_FAILURES_IN_A_ROW} trainings failed one after another, the last of: {reason}; see {self.log}"
            )

    def _count_death(self, reason: str) -> None:
        """Count a worker that died; where an epoch was trained since the last one, the work goes forward."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise TrainingsFailed(
                f"{MAX_FAILURES_IN_A_ROW} workers died one after another, the last of: {reason}; see {self.log}"
            )

    def _stop_at_deadline(self) -> None:
        if self.deadline is not None and time.time() >= self.deadline:
            self._stop(Ending(Cause.TIME_UP))

    def _end_overdue(self) -> None:
        """Stop jobs that have taken much longer than their budget, and end the workers of those that do not stop."""
        for number, worker in list(self._workers.items()):
            seconds = None if worker.job is None else worker.job.budget.seconds
            if seconds is None or not worker.start:
                continue
            late = time.time() - worker.start - _OVERDUE_FACTOR * seconds * worker.n_folds - _OVERDUE_SECONDS
            if late > _STOP_PATIENCE_SECONDS and worker.is_stopped:
                self._end_hung(number, worker)
            elif late > 0:
                self._stop_worker(number, Ending(Cause.TIME_UP, "it took much longer than its budget"))

    def _end_hung(self, number: int, worker: _Worker) -> None:
        assert worker.job is not None
        seconds = time.time() - worker.start
        ending = Ending(Cause.FAILED, f"it hung, and was ended after {seconds:.0f} s")
        del self._workers[number]
        self.executor.kill(number)
        self.show(self.source.finish(worker.job, Ended(worker.job.number, worker.job.name, ending, None, seconds)))
        self._count(ending)

    def _stop(self, ending: Ending) -> None:
        for number in self._workers:
            self._stop_worker(number, ending)

    def _stop_worker(self, number: int, ending: Ending) -> None:
        """Tell a worker once to stop its job."""
        worker = self._workers[number]
        if worker.job is not None and not worker.is_stopped:
            worker.is_stopped = True
            self.executor.send(number, Stop(ending))

    def _end_workers(self) -> None:
        """Have trainings at work pause, and end all processes whatever happens; jobs of those that do not end wait.

        A worker that is told to pause saves at once what its job needs to go on.
        """
        interrupted = Ending(Cause.INTERRUPTED)
        try:
            self._stop(interrupted)
            self._kill(number for number, worker in self._workers.items() if worker.job is None)
            self._wait_for_ends(interrupted, time.time() + _PAUSE_PATIENCE_SECONDS)
        finally:
            at_work = [worker.job for worker in self._workers.values() if worker.job is not None]
            self._kill(self._workers)
            for job in at_work:
                self.source.finish(job, Ended(job.number, job.name, interrupted, None, 0.0))

    def _kill(self, numbers: Iterable[int]) -> None:
        for number in list(numbers):
            self.executor.kill(number)
            del self._workers[number]

    def _wait_for_ends(self, ending: Ending, until: float) -> None:
        """Wait until trainings have paused or come to their ends; a worker that dies now was ended with the command."""
        while self._n_running() and time.time() < until:
            for number, event in self.executor.poll(_POLL_SECONDS):
                worker = self._workers[number]
                if isinstance(event, Ended):
                    self._finish(worker, event)
                elif isinstance(event, EpochEnd | FoldEnd):
                    self.executor.send(number, Verdict(ending, keep_model=False))
                elif isinstance(event, Died) and worker.job is not None:
                    self._finish(worker, Ended(worker.job.number, worker.job.name, ending, None, 0.0))
