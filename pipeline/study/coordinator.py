"""The coordinator: hands trials to workers until the study is done, and answers for every trial."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait

import optuna
from optuna.trial import TrialState

from pipeline.errors import PipelineError, StudyFailed
from pipeline.study.messages import (
    Event,
    Interrupt,
    Quit,
    Ready,
    Session,
    StartFailed,
    TrialEnded,
    TrialStarted,
)
from pipeline.study.reconciliation import fail_trial
from pipeline.study.samplers import is_exhausted
from pipeline.study.worker import TRIALS_PER_WORKER, Worker
from pipeline.tracking.names import State
from pipeline.tracking.store import TrackingStore

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
MAX_FAILURES_IN_A_ROW = 5
_POLL_SECONDS = 0.25
_INTERRUPT_PATIENCE_SECONDS = 30.0


def n_finished(study: optuna.Study) -> int:
    """Return the number of finished trials, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


@dataclass
class Coordinator:
    """Runs one study with workers; ``show`` gets every event."""

    session: Session
    study: optuna.Study
    n_workers: int
    gpus: tuple[str, ...]
    deadline: float | None
    show: Callable[[Event], None]
    _workers: list[Worker] = field(default_factory=list)
    _failures_in_a_row: int = 0
    _last_failure: str = ""
    _shortest_seconds: float | None = None

    def run(self) -> None:
        """Run trials until the study has its number, its time is up, or its grid is used up.

        Raises:
            StudyFailed: several trials in a row failed, or a worker could not start.
        """
        try:
            self._fill_places()
            while self._workers:
                self._hand_out_trials()
                self._hear_workers()
        finally:
            self._end_workers()

    def _fill_places(self) -> None:
        """Start workers for the places that are empty, no more than there are trials to run."""
        taken = {worker.index for worker in self._workers}
        n_needed = min(self.n_workers, self._n_running() + self._n_left())
        free = [index for index in range(self.n_workers) if index not in taken]
        for index in free[: max(0, n_needed - len(taken))]:
            gpu = self.gpus[index % len(self.gpus)] if self.gpus else None
            self._workers.append(Worker(self.session, index=index, gpu=gpu))

    def _n_running(self) -> int:
        return sum(worker.is_busy for worker in self._workers)

    def _n_left(self) -> int:
        """Return how many trials may still be started."""
        is_late = self.deadline is not None and time.time() + (self._shortest_seconds or 0.0) >= self.deadline
        if is_late or is_exhausted(self.session.settings.sampler, self.session.space, self.study):
            return 0
        return self.session.settings.trials - n_finished(self.study) - self._n_running()

    def _hand_out_trials(self) -> None:
        for worker in [worker for worker in self._workers if worker.is_idle]:
            if self._n_left() <= 0 or worker.n_trials >= TRIALS_PER_WORKER:
                self._workers.remove(worker)
                worker.send(Quit())
                worker.end(patience_seconds=_INTERRUPT_PATIENCE_SECONDS)
                self._fill_places()
            else:
                worker.run_trial(self.deadline)

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
            raise StudyFailed(f"a worker could not start: {event.reason}; see {self.session.log}")
        if isinstance(event, Ready | TrialEnded):
            worker.is_idle, worker.is_busy, worker.trial = True, False, None
        if isinstance(event, TrialStarted):
            worker.trial = event.number
        if isinstance(event, TrialEnded):
            self._count(event)
        self.show(event)

    def _count(self, event: TrialEnded) -> None:
        if event.state is State.FAIL:
            self._failures_in_a_row += 1
            self._last_failure = event.reason
        else:
            self._failures_in_a_row = 0
            self._shortest_seconds = min(event.seconds, self._shortest_seconds or event.seconds)
        if self._failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise StudyFailed(
                f"{MAX_FAILURES_IN_A_ROW} trials failed one after another, the last of: {self._last_failure}; "
                f"see {self.session.log}"
            )

    def _replace(self, worker: Worker) -> None:
        """Account for a worker that died in a trial, and start another in its place."""
        self._workers.remove(worker)
        worker.end(patience_seconds=1.0)
        reason = f"the worker {_describe_exit(worker.process.exitcode)}"
        if worker.trial is None and worker.n_trials == 0:
            raise PipelineError(f"{reason} before its first trial; see {self.session.log}")
        if worker.trial is not None:
            fail_trial(self.study, TrackingStore(self.session.tracking_uri), worker.trial, reason, retry=False)
            self._take(worker, TrialEnded(worker.trial, State.FAIL, None, None, reason, 0.0))
        self._fill_places()

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.send(Interrupt() if worker.is_busy else Quit())
        for worker in self._workers:
            worker.end(patience_seconds=_INTERRUPT_PATIENCE_SECONDS)
        self._workers.clear()


def _describe_exit(code: int | None) -> str:
    """Say how a process died; one that the system ended has most often run out of memory."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}, most likely out of memory"
