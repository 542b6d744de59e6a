"""Locks on files, which keep two processes from doing the same thing at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.5


@contextmanager
def held(path: Path, *, seconds: float, error: Exception) -> Iterator[None]:
    """Hold the lock in the file ``path``, waiting ``seconds`` for it at most.

    Raises:
        Exception: ``error``, where another process still holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path).acquire(timeout=seconds)
    except Timeout as timeout:
        raise error from timeout
    with lock:
        yield


@contextmanager
def held_if_possible(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock in the file ``path``, and remove the file in the end; go on without it where it cannot be locked.

    ``wait`` is called every half second while another process holds the lock, and may raise.
    """
    lock = FileLock(path)
    with suppress(OSError, NotImplementedError):  # a folder that cannot be written, a file system without locks
        path.parent.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=_POLL_SECONDS)
            except Timeout:
                wait()
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                path.unlink()
            lock.release()
