"""Processes of our own: started in one way, silent on the screen, and their deaths described."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, describe_failure
from pipeline.masking import MaskingFormatter, mask_passwords

# The counters of a container (cgroup 2, then 1), else those of the whole system.
_OOM_COUNTERS = tuple(
    map(Path, ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control", "/proc/vmstat"))
)
_LAST_ACTS_SECONDS = 5.0
_last_acts: list[Callable[[], None]] = []


def prepare_environment() -> None:
    """Set what TensorFlow reads when it is imported; what the user has set stays.

    TensorFlow leaves its oneDNN kernels off on CPUs without AVX-512 or AMX, and takes all memory of a GPU at once.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def start_process(
    function: Callable[..., None], *arguments: Any, log: Path, name: str | None = None
) -> tuple[SpawnProcess, Connection[Any, Any]]:
    """Start ``function(connection, *arguments)`` in a process of its own; return it and our end of the connection.

    All arguments must pickle. What the process prints, libraries outside Python included, goes to ``log``; it ignores
    Ctrl-C, which reaches the whole group: its parent decides. It ends within seconds of its parent.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    work = pickle.dumps((function, arguments))  # read when the parent is watched: to import the function takes seconds
    process = context.Process(target=_run, args=(theirs, log, work), name=name, daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _run(connection: Connection[Any, Any], log: Path, work: bytes) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_worker(log)
    try:
        function, arguments = pickle.loads(work)
        function(connection, *arguments)
    except Exception:
        sys.stderr.write(mask_passwords(traceback.format_exc()))
        sys.exit(1)


def prepare_worker(log: Path) -> None:
    """Prepare this process for the work of a command: what it prints goes to ``log``, without passwords."""
    _redirect_output(log)
    prepare_environment()
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would override the parent of every run made here (mlflow #15713)
    if logging.lastResort is not None:  # which takes the messages of libraries
        logging.lastResort.setFormatter(MaskingFormatter())


def before_orphaned_end(act: Callable[[], None]) -> None:
    """Have a process of ours call ``act``, in a thread of its own, before it ends because its parent is gone."""
    _last_acts.append(act)


def _end_with_parent() -> None:
    """Wait until the parent is gone, and end this process, whatever its other threads do."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    last_acts = threading.Thread(target=_act_a_last_time, daemon=True)
    last_acts.start()
    last_acts.join(_LAST_ACTS_SECONDS)
    os._exit(1)


def _act_a_last_time() -> None:
    for act in _last_acts:
        with suppress(Exception):  # one does not keep the others from theirs
            act()


def _redirect_output(log: Path) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(target, stream.fileno())
    os.close(target)


def end_process(process: SpawnProcess, *, patience_seconds: float) -> None:
    """Wait for a process to end, and kill it where it does not."""
    process.join(patience_seconds)
    if process.is_alive():
        process.kill()
        process.join()


def call_in_fresh_process(function: Callable[..., Any], *arguments: Any, log: Path) -> Any:
    """Return what a function of some module returns for ``arguments`` in a process of its own.

    Raises:
        PipelineError: the function raised an error, or the process died before it had an answer.
    """
    n_oom_kills = count_oom_kills()
    process, connection = start_process(_answer, function, arguments, log=log)
    try:
        is_fine, answer = connection.recv()
    except EOFError as error:
        process.join()
        raise PipelineError(
            f"a process {describe_exit(process.exitcode, n_oom_kills)} in {function.__name__}; see {log}"
        ) from error
    finally:
        end_process(process, patience_seconds=0)
        connection.close()
    if not is_fine:
        raise answer
    return answer


def _answer(connection: Connection[Any, Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        answer = (True, function(*arguments))
    except Exception as error:  # the caller decides
        answer = (False, error if isinstance(error, PipelineError) else PipelineError(describe_failure(error)))
    connection.send(answer)


def describe_exit(code: int | None, n_oom_kills_before: int) -> str:
    """Say how a process died; memory is blamed only where the system has counted an out-of-memory kill since."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    was_memory = code == -signal.SIGKILL and count_oom_kills() > n_oom_kills_before
    return f"was ended by {signal.Signals(-code).name}{' (out of memory)' if was_memory else ''}"


def count_cpus() -> int:
    """Return the number of CPUs that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


def machine_id() -> str:
    """Return a text that processes have in common where one operating system runs them, in whatever containers."""
    kernel = Path("/proc/sys/kernel/random/boot_id")
    return kernel.read_text().strip() if kernel.exists() else platform.node()


def count_oom_kills(counters: tuple[Path, ...] | None = None) -> int:
    """Return how many processes the system has ended for want of memory; 0 where it does not count them."""
    for source in counters or _OOM_COUNTERS:
        lines = source.read_text().splitlines() if source.exists() else []
        counts = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
        if counts:
            return int(counts[0])
    return 0
