"""A worker: a process that runs trials when its coordinator says so, and is replaced before its memory grows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pipeline.study.messages import Event, Interrupt, Quit, Ready, RunTrial, Session, StartFailed
from pipeline.training.device import prepare_environment

# Memory grows with every network that TensorFlow builds in a process, and only the end of the process frees it.
TRIALS_PER_WORKER = 25


class Worker:
    """The coordinator's end of a worker process."""

    def __init__(self, session: Session, *, index: int, gpu: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.index = index
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=run_worker, args=(theirs, session, index, gpu), name=f"worker-{index}", daemon=True
        )
        self.process.start()
        theirs.close()
        self.is_idle = self.is_busy = False
        self.trial: int | None = None
        self.n_trials = 0

    def run_trial(self, deadline: float | None) -> None:
        """Have the worker run a trial."""
        self.is_idle, self.is_busy = False, True
        self.n_trials += 1
        self.send(RunTrial(deadline))

    def send(self, command: RunTrial | Interrupt | Quit) -> None:
        """Send a command; a worker that is gone already needs none."""
        try:
            self.connection.send(command)
        except OSError:
            self.is_idle = False

    def end(self, *, patience_seconds: float) -> None:
        """Wait for the process to end, and end it where it does not."""
        self.process.join(patience_seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def run_worker(connection: Connection[Any, Any], session: Session, index: int, gpu: str | None) -> None:
    """Run in the worker's process: prepare, then run a trial for each command until told to quit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    _redirect_output(session.log)
    prepare_environment()
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would override the parent of every run made here (mlflow #15713)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    mailbox = Mailbox(connection)
    try:
        from pipeline.study.objective import load_objective

        objective = load_objective(session, mailbox, worker_index=index)
    except Exception as error:  # the coordinator tells the user
        mailbox.send(StartFailed(f"{type(error).__name__}: {error}"))
        raise
    mailbox.send(Ready())
    while isinstance(command := mailbox.receive(), RunTrial):
        objective.run(command.deadline)


def _redirect_output(log: Path) -> None:
    """Send everything that libraries print, Python or not, to the study's log."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(target, stream.fileno())
    os.close(target)


class Mailbox:
    """The worker's end of the connection."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._is_interrupted = False

    def send(self, event: Event) -> None:
        """Send an event; where the coordinator is gone, the trial at work should end."""
        try:
            self._connection.send(event)
        except OSError:
            self._is_interrupted = True

    def receive(self) -> RunTrial | Interrupt | Quit:
        """Wait for the next command; after an interruption, or where the coordinator is gone, it is to quit."""
        if self._is_interrupted:
            return Quit()
        try:
            command: RunTrial | Interrupt | Quit = self._connection.recv()
        except (EOFError, OSError):
            return Quit()
        return command

    def is_interrupted(self) -> bool:
        """Tell whether the trial at work should end."""
        while not self._is_interrupted and self._connection.poll():
            self._is_interrupted = isinstance(self.receive(), Interrupt | Quit)
        return self._is_interrupted
