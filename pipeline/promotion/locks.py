"""Locks on a registered model: one promotion at a time, one change of the champion at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.errors import GateRefused
from pipeline.tracking.store import TrackingStore

_ALIAS_TIMEOUT_SECONDS = 60


@contextmanager
def promotion_lock(store: TrackingStore, name: str) -> Iterator[None]:
    """Hold this machine's lock for promotions to the registered model ``name``.

    Raises:
        GateRefused: another command holds it.
    """
    with _locked(store, f"promote-{name}.lock", timeout_seconds=0, holder=f"another promotion to '{name}' is running"):
        yield


@contextmanager
def alias_lock(store: TrackingStore, name: str) -> Iterator[None]:
    """Hold the lock for reading and moving the alias ``champion`` of the registered model ``name``.

    Raises:
        GateRefused: another command holds it for a minute.
    """
    holder = f"another command is moving the champion of '{name}'"
    with _locked(store, f"champion-{name}.lock", timeout_seconds=_ALIAS_TIMEOUT_SECONDS, holder=holder):
        yield


@contextmanager
def _locked(store: TrackingStore, file: str, *, timeout_seconds: float, holder: str) -> Iterator[None]:
    store.studies.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.studies / file)
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout as error:
        raise GateRefused(f"refused: {holder}; wait until it has ended, then start again") from error
    try:
        yield
    finally:
        lock.release()
