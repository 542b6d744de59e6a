"""Locks between processes on this machine: one promotion to a model at a time, one move of its alias at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pipeline.errors import GateRefused
from pipeline.locks import held
from pipeline.tracking.store import TrackingStore

_ALIAS_TIMEOUT_SECONDS = 60


def promotion_lock(store: TrackingStore, name: str) -> AbstractContextManager[None]:
    """Hold this machine's lock for promotions to the registered model ``name``.

    Raises:
        GateRefused: another command holds it.
    """
    return _held(store, f"promote-{name}.lock", seconds=0, holder=f"another promotion to '{name}' is running")


def alias_lock(store: TrackingStore, name: str) -> AbstractContextManager[None]:
    """Hold the lock for reading and moving the alias ``champion`` of the registered model ``name``.

    Raises:
        GateRefused: another command holds it for a minute.
    """
    holder = f"another command is moving the champion of '{name}'"
    return _held(store, f"champion-{name}.lock", seconds=_ALIAS_TIMEOUT_SECONDS, holder=holder)


def _held(store: TrackingStore, file: str, *, seconds: float, holder: str) -> AbstractContextManager[None]:
    error = GateRefused(f"refused: {holder}; wait until it has ended, then start again")
    return held(store.studies / file, seconds=seconds, error=error)
