"""The owner of a run: the process that is responsible for it, and whether it is still alive."""

from __future__ import annotations

import socket

import psutil

_TOLERANCE_SECONDS = 2.0  # of a start time, which systems derive from a clock that is set now and then


def this_process() -> str:
    """Return the owner of what this process starts: host, process id, start time."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"


def is_alive(owner: str) -> bool:
    """Tell whether a process may still be at work; one of another host is taken to be."""
    host, pid, start = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(start)) < _TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return False
