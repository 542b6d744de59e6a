"""Which worker on this machine gets which GPU, how many threads, and with how many others it has its GPU."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.process import count_cpus
from pipeline.settings import TrainingSettings, make_settings
from pipeline.tracking.store import TrackingStore
from pipeline.workers.executor import LocalExecutor
from pipeline.workers.job import WorkerContext
from pipeline.workers.machine_share import MachineShare, share_machine

GPUS = ("0", "1")


def executor_of(folder: Path, **settings: object) -> LocalExecutor:
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    return LocalExecutor(WorkerContext(make_settings(TrainingSettings, **settings), store, folder / "log"))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(GPUS))


@pytest.fixture
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_workers_take_the_gpus_in_turn_and_divide_the_threads() -> None:
    shares = [share_machine(worker, n_workers=4, gpus=GPUS, n_cpus=16) for worker in range(4)]

    assert shares == [MachineShare(4, gpu, 2) for gpu in ("0", "1", "0", "1")]


def test_gpu_with_a_worker_more_is_divided_among_more() -> None:
    shares = [share_machine(worker, n_workers=3, gpus=GPUS, n_cpus=16) for worker in range(3)]

    assert [(share.gpu, share.n_on_gpu) for share in shares] == [("0", 2), ("1", 1), ("0", 2)]


@pytest.mark.parametrize("n_workers", range(1, 12))
@pytest.mark.parametrize("n_gpus", [1, 2, 3, 8])
def test_no_gpu_has_more_than_one_worker_more_than_another(n_workers: int, n_gpus: int) -> None:
    gpus = [str(number) for number in range(n_gpus)]
    shares = [share_machine(worker, n_workers=n_workers, gpus=gpus, n_cpus=8) for worker in range(n_workers)]

    n_on = Counter(dict.fromkeys(gpus, 0)) + Counter(share.gpu for share in shares)
    assert max(n_on.values()) - min(n_on[gpu] for gpu in gpus) <= 1
    assert all(share.n_on_gpu == n_on[share.gpu] for share in shares)


def test_each_worker_has_a_thread_where_there_are_more_workers_than_cpus() -> None:
    assert share_machine(5, n_workers=8, gpus=(), n_cpus=2) == MachineShare(threads=1)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("settings", "n_places"), [
    ({}, 2),
    ({"workers_per_gpu": 3}, 6),
    ({"workers_per_gpu": "2", "workers": "3"}, 3),
    ({"workers": 1}, 1),
])  # fmt: skip
def test_places_are_those_of_all_gpus_unless_workers_says_otherwise(
    settings: dict[str, object], n_places: int, tmp_path: Path
) -> None:
    executor = executor_of(tmp_path, **settings)

    assert executor.n_places == executor.n_workers == n_places


@pytest.mark.usefixtures("no_gpus")
@pytest.mark.parametrize(("workers", "n_places"), [(None, 1), (2, 2)])
def test_workers_per_gpu_says_nothing_where_there_is_no_gpu(workers: int | None, n_places: int, tmp_path: Path) -> None:
    executor = executor_of(tmp_path, workers=workers, workers_per_gpu=4)

    assert executor.n_places == n_places
    assert executor.share_of(0) == MachineShare(max(1, count_cpus() // n_places))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("settings", "n_devices"), [
    ({"workers_per_gpu": 3}, 2),
    ({"workers": 5}, 2),
    ({"workers": 1}, 1),
])  # fmt: skip
def test_devices_are_gpus_and_not_places(settings: dict[str, object], n_devices: int, tmp_path: Path) -> None:
    assert executor_of(tmp_path, **settings).n_devices == n_devices


@pytest.mark.usefixtures("two_gpus")
def test_final_trainings_have_a_gpu_each_to_themselves(tmp_path: Path) -> None:
    executor = executor_of(tmp_path, workers_per_gpu=3)
    assert executor.share_of(3) == MachineShare(max(1, count_cpus() // 6), "1", n_on_gpu=3)

    executor.n_workers = executor.n_devices  # as the pool does for them

    threads = max(1, count_cpus() // 2)
    assert [executor.share_of(worker) for worker in range(2)] == [MachineShare(threads, gpu) for gpu in GPUS]
