"""How workers share a cluster: its GPUs where it has some, else its CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.workers.machine_share import MachineShare

_STEPS = 10_000  # Ray counts resources in steps of a ten thousandth


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, with the CPUs and GPUs that Ray gives away there; ``name`` is Ray's own."""

    name: str
    address: str
    n_cpus: int
    n_gpus: int


@dataclass(frozen=True)
class ClusterShare:
    """What a worker takes of whatever node it comes to: CPUs or GPUs, or parts of one, as Ray counts them.

    It takes no CPUs where it takes a GPU, so that CPUs keep no GPU idle. ``machine`` is what it may use there.
    """

    n_cpus: float
    n_gpus: float
    machine: MachineShare


def count_devices(nodes: Sequence[Node]) -> int:
    """Return how many workers do not slow each other down: one for each GPU, without GPUs one for each node."""
    return sum(node.n_gpus for node in nodes) or sum(node.n_cpus > 0 for node in nodes)


def count_places(nodes: Sequence[Node], *, workers: int | None, workers_per_gpu: int) -> int:
    """Return how many workers there are: ``workers``, else ``workers_per_gpu`` on each GPU, without GPUs one a node."""
    per_device = workers_per_gpu if any(node.n_gpus for node in nodes) else 1
    return workers or count_devices(nodes) * per_device


def share_cluster(nodes: Sequence[Node], *, n_workers: int) -> ClusterShare:
    """Return the share of each of ``n_workers``: the largest that leaves all of them a place."""
    if n_gpus := sum(node.n_gpus for node in nodes):
        n_on_gpu = -(-n_workers // n_gpus)
        n_cpus = sum(node.n_cpus for node in nodes if node.n_gpus)
        return ClusterShare(0, _part(n_on_gpu), MachineShare(max(1, n_cpus // n_workers), n_on_gpu=n_on_gpu))
    on_nodes = [node.n_cpus for node in nodes]
    n_cpus = _most_cpus(on_nodes, n_workers)
    return ClusterShare(n_cpus or _part(-(-n_workers // sum(on_nodes))), 0, MachineShare(max(1, n_cpus), gpu=""))


def _part(n_workers: int) -> float:
    """Return what each of some workers has of a device, rounded so that all of them find room on it."""
    return _STEPS // n_workers / _STEPS


def _most_cpus(on_nodes: Sequence[int], n_workers: int) -> int:
    """Return the most whole CPUs that each worker can have; 0 where there are more workers than CPUs."""
    n_cpus = max(on_nodes)
    while n_cpus and sum(on_node // n_cpus for on_node in on_nodes) < n_workers:
        n_cpus -= 1
    return n_cpus
