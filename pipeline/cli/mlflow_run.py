"""A command below ``mlflow run`` ends in order when that is gone: SIGTERM and SIGKILL do not reach what it started."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psutil import Process

_SECONDS_BETWEEN_LOOKS = 0.5
_SHELLS = ("bash", "sh", "dash", "zsh")


def end_with_mlflow_run() -> None:
    """Send this process a SIGTERM when the ``mlflow run`` that started it is gone; without one, do nothing.

    A command with the run of ``MLFLOW_RUN_ID`` that was started from a terminal, by ``nohup`` or as a daemon goes on.
    """
    if "MLFLOW_RUN_ID" not in os.environ:
        return
    line = _line_of_mlflow_run()
    if line:
        threading.Thread(target=_wait_and_end, args=(line,), daemon=True).start()


def _line_of_mlflow_run() -> list[Process]:
    """Return this process, the shells between, and the Python process that runs ``mlflow run``; empty without one."""
    import psutil

    line = [psutil.Process()]
    try:
        for above in line[0].parents():
            line.append(above)
            is_shell = above.name() in _SHELLS
            if is_shell and "-c" not in above.cmdline():
                return []  # a terminal's, or a script's
            if not is_shell:
                is_python = any("python" in word for word in (above.name(), above.exe(), *above.cmdline()[:1]))
                return line if is_python else []
    except psutil.Error:
        return []
    return []


def _wait_and_end(line: list[Process]) -> None:
    while _is_whole(line):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_whole(line: list[Process]) -> bool:
    import psutil

    try:
        return all(below.ppid() == above.pid for below, above in pairwise(line))
    except psutil.Error:
        return False
