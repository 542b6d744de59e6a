"""A study of which something is killed every few seconds, until it is done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .notes import Notes

SPACE = """
knobs:
  {blocks: 1, filters: {choices: [4, 8, 16]}, batch_size: 16, optimizer: sgd, learning_rate: {low: 0.02, high: 0.5,
  log: true}, dropout_before_pool: {low: 0.0, high: 0.3}, epochs: {low: 6, high: 16}}
"""
WORKER, COMMAND, ALL = "worker", "command", "everything"
_ROOT = Path(__file__).parents[3]
_SITE = Path(__file__).parent / "site"
_LONGEST_PAUSE_SECONDS = 7.0
_MOST_DEATHS = 2  # a third one would rightly fail a trial


@dataclass
class Soak:
    """A study in ``folder`` and what is to be killed of it, at random by ``seed``.

    A command is killed alone, or with its workers. No trial is killed so often that it fails.
    """

    folder: Path
    n_trials: int
    n_workers: int
    seed: int
    to_kill: list[str]
    killed: Counter[str] = field(default_factory=Counter)
    codes: list[int] = field(default_factory=list)
    _deaths: Counter[int] = field(default_factory=Counter)

    @property
    def notes(self) -> Notes:
        """What the workers have trained."""
        return Notes(self.folder / "notes.txt")

    @property
    def n_workers_killed(self) -> int:
        """How many workers were killed, or lost their command."""
        return self.killed[WORKER] + self.n_workers * (self.killed[COMMAND] + self.killed[ALL])

    def run(self) -> None:
        """Give the same command again and again until it has ended by itself."""
        (self.folder / "soak.yaml").write_text(SPACE)
        self._random = random.Random(self.seed)
        self._random.shuffle(self.to_kill)
        while not self.codes or self.codes[-1] < 0:
            with (self.folder / "screen.txt").open("a") as screen, self._start(screen.fileno()) as process:
                self._kill_now_and_then(psutil.Process(process.pid), process)
                self.codes.append(process.wait())

    def pipeline(self, *words: str) -> list[str]:
        """Return a command of the pipeline."""
        return [sys.executable, "-m", "pipeline", *words]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the commands: a store of their own."""
        kept = {
            name: value for name, value in os.environ.items() if name not in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
        }
        return {
            **kept, "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}", "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONPATH": os.pathsep.join([str(_SITE), str(_ROOT)]), "SOAK_NOTES": str(self.notes.path),
        }  # fmt: skip

    def _start(self, screen: int) -> subprocess.Popen[bytes]:
        command = self.pipeline(
            "search", "--dataset", "digits", "--space", "soak.yaml", "--study", "soak", "--strategy", "plain",
            "--trials", str(self.n_trials), "--workers", str(self.n_workers), "--seed", str(self.seed),
            "--precision", "float32",
        )  # fmt: skip
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=screen, stderr=screen)

    def _kill_now_and_then(self, command: psutil.Process, process: subprocess.Popen[bytes]) -> None:
        """Kill what is next, until it was the command or that has ended."""
        for _ in self._pauses(process):
            if not self.to_kill:
                continue
            workers = [one for one in _workers(command) if self._deaths[self._trial(one)] < _MOST_DEATHS]
            kind = self.to_kill[-1]
            if kind == WORKER and workers:
                self._kill(WORKER, self._random.choice(workers))
            elif kind != WORKER and len(workers) == self.n_workers:
                self._kill(kind, *([command] if kind == COMMAND else [command, *workers]), at_work=workers)
                return

    def _pauses(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Yield after some seconds in each of which an epoch was trained, while the command runs."""
        n_epochs, until = self.notes.n_epochs(), self._next_time()
        while process.poll() is None:
            time.sleep(0.05)
            if time.monotonic() >= until and self.notes.n_epochs() > n_epochs:
                yield
                n_epochs, until = self.notes.n_epochs(), self._next_time()

    def _next_time(self) -> float:
        return time.monotonic() + self._random.uniform(0.5, _LONGEST_PAUSE_SECONDS)

    def _kill(self, kind: str, *processes: psutil.Process, at_work: list[psutil.Process] | None = None) -> None:
        trials = {self._trial(one) for one in at_work or processes} - {-1}
        for one in processes:
            one.kill()
        self._deaths.update(trials)
        self.killed[kind] += 1
        self.to_kill.pop()

    def _trial(self, worker: psutil.Process) -> int:
        """Return the trial that a worker is at, -1 where it is at none."""
        trial = self.notes.trial_of(worker.pid)
        return -1 if trial is None else trial


def _workers(command: psutil.Process) -> list[psutil.Process]:
    """Return the worker processes of a command."""
    return [one for one in command.children() if any("spawn_main" in word for word in one.cmdline())]
