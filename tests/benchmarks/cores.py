"""The cores that a benchmark uses, one process on each."""

from __future__ import annotations

import os
from typing import Any


def usable_cores(listed: str | None, *, n: int = 2) -> list[int]:
    """Return the cores that are ``listed`` with commas; None: the first ``n`` that this process may use."""
    if listed is not None:
        return [int(core) for core in listed.split(",")]
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return list(usable)[:n]


def pin(core: int | None) -> None:
    """Pin this process, and those that it will start, to a core, where the system can; None: to none."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def pin_next(free: Any) -> None:
    """Pin a process of a pool to a core of the queue ``free``, with one thread and oneDNN on."""
    pin(free.get())
    os.environ |= {"OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    from pipeline.training.device import configure_device

    configure_device(threads=1)
