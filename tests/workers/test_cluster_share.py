"""How many workers a cluster takes, and what each of them has of it."""

from __future__ import annotations

import pytest

from pipeline.workers.cluster_share import Node, count_devices, count_places, share_cluster
from pipeline.workers.machine_share import MachineShare


def nodes_of(*sizes: tuple[int, int]) -> list[Node]:
    """Return nodes of these CPUs and GPUs."""
    return [Node(str(number), f"10.0.0.{number}", *size) for number, size in enumerate(sizes)]


TWO_CPU_NODES = nodes_of((4, 0), (4, 0))
THREE_GPUS = nodes_of((8, 0), (16, 2), (8, 1))


@pytest.mark.parametrize(("nodes", "workers", "workers_per_gpu", "n_places", "n_devices"), [
    (TWO_CPU_NODES, None, 1, 2, 2),
    (TWO_CPU_NODES, None, 4, 2, 2),
    (TWO_CPU_NODES, 5, 1, 5, 2),
    (THREE_GPUS, None, 1, 3, 3),
    (THREE_GPUS, None, 2, 6, 3),
    (THREE_GPUS, 4, 2, 4, 3),
    (nodes_of((0, 1), (4, 0)), None, 1, 1, 1),
])  # fmt: skip
def test_workers_are_one_a_gpu_and_without_gpus_one_a_node(
    nodes: list[Node], workers: int | None, workers_per_gpu: int, n_places: int, n_devices: int
) -> None:
    assert count_places(nodes, workers=workers, workers_per_gpu=workers_per_gpu) == n_places
    assert count_devices(nodes) == n_devices


@pytest.mark.parametrize(("n_workers", "part", "n_on_gpu", "threads"), [(3, 1.0, 1, 8), (4, 0.5, 2, 6), (6, 0.5, 2, 4)])
def test_workers_share_gpus_and_take_no_cpus(n_workers: int, part: float, n_on_gpu: int, threads: int) -> None:
    share = share_cluster(THREE_GPUS, n_workers=n_workers)

    assert (share.n_cpus, share.n_gpus) == (0, part)
    assert share.machine == MachineShare(threads, n_on_gpu=n_on_gpu)


@pytest.mark.parametrize("n_workers", range(1, 65))
def test_all_workers_of_a_gpu_find_room_on_it(n_workers: int) -> None:
    part = share_cluster(nodes_of((8, 1)), n_workers=n_workers).n_gpus

    assert round(part * 10_000) * n_workers <= 10_000  # Ray counts in steps of a ten thousandth
    assert part == pytest.approx(1 / n_workers, abs=1e-4)


@pytest.mark.parametrize(("sizes", "n_workers", "n_cpus"), [
    ((4, 4), 1, 4),
    ((4, 4), 2, 4),
    ((4, 4), 3, 2),
    ((4, 4), 4, 2),
    ((8, 2), 2, 4),
    ((3, 3), 3, 1),
    ((4, 4), 8, 1),
    ((2, 2), 8, 0.5),
    ((2, 2), 5, 0.5),
])  # fmt: skip
def test_workers_have_the_most_cpus_that_leave_all_of_them_a_place(
    sizes: tuple[int, ...], n_workers: int, n_cpus: float
) -> None:
    share = share_cluster(nodes_of(*((size, 0) for size in sizes)), n_workers=n_workers)

    assert (share.n_cpus, share.n_gpus) == (n_cpus, 0)
    assert share.machine == MachineShare(max(1, int(n_cpus)), gpu="")  # it uses no GPU that Ray does not know of
