"""How workers share a machine: its CPU threads and its GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MachineShare:
    """What a worker process has of the machine: CPU ``threads``, and a ``gpu`` (its id) among ``n_on_gpu`` workers."""

    threads: int
    gpu: str | None = None
    n_on_gpu: int = 1


def share_machine(worker: int, *, n_workers: int, gpus: Sequence[str], n_cpus: int) -> MachineShare:
    """Return the share of a worker, counted from 0 to ``n_workers``.

    Workers take the GPUs in turn, so that no GPU has more than one worker more than another; CPUs are divided evenly.
    """
    threads = max(1, n_cpus // n_workers)
    if not gpus:
        return MachineShare(threads)
    place = worker % len(gpus)
    return MachineShare(threads, gpus[place], n_on_gpu=len(range(place, n_workers, len(gpus))))
