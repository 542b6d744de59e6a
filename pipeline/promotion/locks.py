"""Who may promote, and who may move the alias, one at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pipeline.errors import GateRefused
from pipeline.locks import held
from pipeline.tracking.store import TrackingStore

_ALIAS_PATIENCE_SECONDS = 60


def promotion_lock(store: TrackingStore, name: str) -> AbstractContextManager[None]:
    """Hold the lock of promotions to the registered model ``name`` from this machine.

    Raises:
        GateRefused: another command holds it.
    """
    error = GateRefused(f"refused: another promotion to '{name}' is at work; wait for it, and start again")
    return held(store.studies / f"promote-{name}.lock", seconds=0, error=error)


def alias_lock(store: TrackingStore, name: str) -> AbstractContextManager[None]:
    """Hold the lock of the alias ``champion`` for as long as it takes to look at it and to move it.

    Raises:
        GateRefused: another command keeps it for a minute.
    """
    error = GateRefused(f"refused: another command is moving the champion of '{name}'; wait for it, and start again")
    return held(store.studies / f"champion-{name}.lock", seconds=_ALIAS_PATIENCE_SECONDS, error=error)
