"""What a node of a Ray cluster tells of itself before the work begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.process import machine_id
from pipeline.tracking.outage import find_outage, is_server
from pipeline.tracking.store import TrackingStore
from pipeline.workers.command_environment import CommandEnvironment

_PATIENCE_SECONDS = 10.0  # for a new file to be seen through a network file system


@dataclass(frozen=True)
class NodeReport:
    """A node: its ``machine``, the files and folders that it does not see, and why it does not reach the store."""

    machine: str
    unseen: tuple[Path, ...]
    outage: str


def inspect_node(environment: CommandEnvironment, store: TrackingStore, needed: Sequence[Path]) -> NodeReport:
    """Tell whether this node sees the files and folders ``needed``, and reaches a tracking server."""
    environment.enter()
    unseen = tuple(path for path in needed if not _is_seen(path))
    return NodeReport(machine_id(), unseen, find_outage(store.uri) if is_server(store.uri) else "")


def _is_seen(path: Path) -> bool:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True
