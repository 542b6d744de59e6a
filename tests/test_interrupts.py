"""Ctrl-C and SIGTERM: what the first does, and what a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import pipeline
from pipeline.interrupts import EXIT_INTERRUPTED, Interrupts, interrupts_noted

COMMAND = """
import signal, time
from multiprocessing import Process, get_context
from pipeline.interrupts import handle_interrupts
def ignore():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
if __name__ == "__main__":
    handle_interrupts()
    child = get_context("spawn").Process(target=ignore)
    child.start()
    print(child.pid, flush=True)
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("cleaning up", flush=True)
        time.sleep(600)
"""


@pytest.fixture(autouse=True)
def handlers_are_left_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_only_noted_and_handlers_are_put_back(number: int) -> None:
    before = signal.getsignal(number)
    with interrupts_noted() as noted:
        send(number)
    assert noted == [number]
    assert signal.getsignal(number) is before


def test_second_ctrl_c_raises_but_the_sigterm_that_mlflow_run_sends_after_the_first_does_not() -> None:
    with interrupts_noted() as noted:
        send(signal.SIGINT)
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    assert noted == [signal.SIGINT, signal.SIGTERM, signal.SIGINT]


def test_command_raises_at_the_first_signal_unless_it_is_noted_and_knows_a_second_from_then_on() -> None:
    seconds: list[str] = []
    Interrupts(at_second=lambda: seconds.append("at once")).install()
    with interrupts_noted() as noted:
        send(signal.SIGTERM)
    assert noted == [signal.SIGTERM]
    assert seconds == []
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    assert seconds == ["at once"]


def test_second_ctrl_c_ends_a_command_and_its_processes_at_once(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    environment = {**os.environ, "PYTHONPATH": str(Path(pipeline.__file__).parent.parent)}
    run = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    with run:
        assert run.stdout is not None
        assert run.stderr is not None
        child = psutil.Process(int(run.stdout.readline()))
        run.send_signal(signal.SIGINT)
        assert run.stdout.readline() == "cleaning up\n"
        run.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert run.wait(10) == EXIT_INTERRUPTED
        assert run.stderr.read().startswith("error: ended at once; the same command ")
    assert time.monotonic() - start < 5
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
