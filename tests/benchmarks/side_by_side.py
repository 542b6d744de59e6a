"""Trainings side by side on one device, a process each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.process import count_cpus

from .device_facts import DeviceFacts
from .one_training import Measured, Request

CPU, GPU = "cpu", "gpu"
_POLL_SECONDS, _MESSAGE_LINES = 0.1, 3


class MeasurementError(Exception):
    """A process failed, or took too long; the message says so."""


@dataclass(frozen=True)
class Device:
    """``cpu`` or ``gpu``, and the id of the GPU."""

    kind: str
    gpu: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What its processes find in their environment, before TensorFlow is imported."""
        chosen = {
            "CUDA_VISIBLE_DEVICES": self.gpu if self.kind == GPU else "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_ENABLE_ONEDNN_OPTS": "1",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }
        return {**os.environ, **chosen}

    def facts(self) -> DeviceFacts:
        """Return what TensorFlow says of it."""
        command = [sys.executable, "-m", "tests.benchmarks.device_facts"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)
        if done.returncode != 0:
            raise MeasurementError(_end_of(done.stderr))
        return DeviceFacts(**json.loads(done.stdout.splitlines()[-1]))


def train_side_by_side(request: Request, device: Device, n: int, *, timeout_seconds: float) -> list[Measured]:
    """Train ``n`` times at once, each on its share of the CPUs; after their first epochs they go on together.

    Raises:
        MeasurementError: one of them failed, or they were not ready in time; none is left running.
    """
    cores = max(1, count_cpus() // n)
    with TemporaryDirectory() as meeting, ExitStack() as started:
        outputs = [Path(meeting) / f"{place}.out" for place in range(n)]
        processes = [
            started.enter_context(_started(
                replace(request, place=place, n_together=n, cores=cores, meeting=meeting), device.environment, output
            ))
            for place, output in enumerate(outputs)
        ]  # fmt: skip
        _wait(processes, outputs, time.monotonic() + timeout_seconds)
        return [Measured(**json.loads(output.read_text().splitlines()[-1])) for output in outputs]


@contextmanager
def _started(request: Request, environment: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[Any]]:
    command = [sys.executable, "-m", "tests.benchmarks.one_training", json.dumps(asdict(request))]
    with output.open("w") as out, output.with_suffix(".err").open("w") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=dict(environment))
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _wait(processes: list[subprocess.Popen[Any]], outputs: list[Path], deadline: float) -> None:
    """Wait until all have ended; those that wait for one that failed would never do."""
    while any(process.poll() is None for process in processes):
        _raise_failure(processes, outputs)
        if time.monotonic() > deadline:
            raise MeasurementError("not finished in time")
        time.sleep(_POLL_SECONDS)
    _raise_failure(processes, outputs)


def _raise_failure(processes: list[subprocess.Popen[Any]], outputs: list[Path]) -> None:
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode:  # None while it runs
            raise MeasurementError(_end_of(output.with_suffix(".err").read_text()) or f"exit {process.returncode}")


def _end_of(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-_MESSAGE_LINES:])
