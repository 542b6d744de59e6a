"""Who may promote, and who may move the alias, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.errors import GateRefused
from pipeline.tracking.store import TrackingStore

_ALIAS_PATIENCE_SECONDS = 60


@contextmanager
def promotion_lock(store: TrackingStore, name: str) -> Iterator[None]:
    """Hold the lock of promotions to the registered model ``name`` from this machine.

    Raises:
        GateRefused: another command holds it.
    """
    with _held(store, f"promote-{name}.lock", seconds=0, what=f"another promotion to '{name}' is at work"):
        yield


@contextmanager
def alias_lock(store: TrackingStore, name: str) -> Iterator[None]:
    """Hold the lock of the alias ``champion`` for as long as it takes to look at it and to move it.

    Raises:
        GateRefused: another command keeps it for a minute.
    """
    what = f"another command is moving the champion of '{name}'"
    with _held(store, f"champion-{name}.lock", seconds=_ALIAS_PATIENCE_SECONDS, what=what):
        yield


@contextmanager
def _held(store: TrackingStore, file: str, *, seconds: float, what: str) -> Iterator[None]:
    store.studies.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.studies / file)
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise GateRefused(f"refused: {what}; wait for it, and start again") from error
    try:
        yield
    finally:
        lock.release()
