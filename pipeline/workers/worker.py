"""A worker: a process that trains when its coordinator says so, and is replaced before its memory grows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pipeline.training.device import prepare_environment
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.messages import Interrupt, Quit, Ready, StartFailed, Train
from pipeline.workers.session import Session

# Memory grows with every network that TensorFlow builds in a process, and only the end of the process frees it.
TRAININGS_PER_WORKER = 25


class Worker:
    """The coordinator's end of a worker process; ``training`` is the number of the one at work."""

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
        self.training: int | None = None
        self.n_trainings = 0

    def train(self, command: Train) -> None:
        """Have the worker do a training."""
        self.is_idle, self.is_busy = False, True
        self.training = command.number
        self.n_trainings += 1
        self.send(command)

    def send(self, command: Train | Interrupt | Quit) -> None:
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
    """Run in the worker's process: prepare, then train for each command until told to quit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    redirect_output(session.log)
    prepare_environment()
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would override the parent of every run made here (mlflow #15713)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    mailbox = Mailbox(connection)
    try:
        runner = session.make_runner(mailbox, worker_index=index)
    except Exception as error:  # the coordinator tells the user
        mailbox.send(StartFailed(f"{type(error).__name__}: {error}"))
        raise
    mailbox.send(Ready())
    while isinstance(command := mailbox.receive(), Train):
        runner.run(command)


def redirect_output(log: Path) -> None:
    """Send everything that this process prints, libraries outside Python included, to the log."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(target, stream.fileno())
    os.close(target)


def describe_exit(code: int | None) -> str:
    """Say how a process died; one that the system ended has most often run out of memory."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}, most likely out of memory"
