"""Files that killed commands leave: parts of files, room kept on the disk, and what no server has got."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from pipeline.act import Act
from pipeline.disk import Reserve
from pipeline.errors import TrackingServerGone
from pipeline.tracking.store import TrackingStore

_QUIET_SECONDS = 600  # a file that another machine is writing to is touched more often
_SENDING_SECONDS = 60.0
_PART = re.compile(r"\.(\d+)\.partial")


def unsent_acts(store: TrackingStore) -> Iterator[Act]:
    """Send the writes that wait for a server; a living command sends its own."""
    if n_unsent := store.outbox.n_unsent():
        what = f"{n_unsent} writes to the tracking server, which were kept in {store.outbox.folder} while it was away"
        yield Act("deliver", what, partial(_send_all, store))


def _send_all(store: TrackingStore) -> None:
    store.outbox.may_send = True
    if store.outbox.flush(_SENDING_SECONDS):
        raise TrackingServerGone(store.outbox.kept())


def part_acts(folder: Path) -> Iterator[Act]:
    """Remove parts of files below a folder whose writers are dead."""
    for path in sorted(folder.rglob("*.partial")):
        found = _PART.search(path.name)
        if found and not psutil.pid_exists(int(found[1])) and time.time() - os.lstat(path).st_mtime > _QUIET_SECONDS:
            yield Act("remove", f"{path}, a part of a file", partial(path.unlink, missing_ok=True), path.stat().st_size)


def reserve_acts(folder: Path) -> Iterator[Act]:
    """Remove the room that commands kept in a folder in which none is at work."""
    for reserve in Reserve.all_in(folder):
        what = f"{reserve.file}, the disk space that a command kept for its end"
        yield Act("remove", what, partial(reserve.file.unlink, missing_ok=True), reserve.file.stat().st_size)
