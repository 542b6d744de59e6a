"""Has each worker note what it trains in the file ``SOAK_NOTES``, whatever becomes of it: Python imports this itself.

A line has the process, what happened, and the trial, fold and epoch.
"""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from typing import Any

_KINDS = ("Started", "EpochEnd", "Ended")
_send = Connection.send


def _note_and_send(connection: Any, event: Any) -> None:
    kind = type(event).__name__
    if kind in _KINDS:
        fold, epoch = (event.fold, event.epoch.number) if kind == "EpochEnd" else (0, 0)
        line = f"{os.getpid()} {kind} {event.number} {fold} {epoch}\n"
        file = os.open(os.environ["SOAK_NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line.encode())
        os.close(file)
    _send(connection, event)


if "SOAK_NOTES" in os.environ:
    Connection.send = _note_and_send  # type: ignore[method-assign]
