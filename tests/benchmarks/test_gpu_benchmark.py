"""The benchmark ``gpu``: what it measures and says, with and without a GPU."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from .device_facts import DeviceFacts
from .gpu import Plan, choose_cells, main
from .gpu_report import Cell, describe_best, make_table, write_results
from .one_training import Epochs, Request
from .side_by_side import CPU, GPU, Device, MeasurementError, train_side_by_side

SPEEDS = {
    Cell(GPU, 1, "small"): 1000.0, Cell(GPU, 1, "large"): 500.0, Cell(CPU, 1, "small"): 100.0,
    Cell(CPU, 1, "large"): 10.0, Cell(GPU, 2, "small"): 1900.0, Cell(GPU, 2, "large"): 450.0,
    Cell(GPU, 4, "small"): 2500.0,
}  # fmt: skip
H100 = DeviceFacts("NVIDIA H100", "9.0", 81_559, "some CPU", 16, "mixed_bfloat16", "2.20.0")
REQUEST = Request(
    model="", precision="float32", n_images=128, n_validation=16, epochs=2, seed=0, cores=1, images="random"
)  # fmt: skip


def test_machine_without_a_gpu_is_told_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    done = CliRunner().invoke(main, [])

    assert done.exit_code == 2
    assert done.output == "Error: there is no GPU here; --devices cpu measures the CPU alone\n"


@pytest.mark.slow
def test_gpu_that_tensorflow_does_not_find_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "99")  # which no machine has

    done = CliRunner().invoke(main, [])

    assert done.exit_code == 2
    assert done.output.splitlines() == [
        "Error: TensorFlow does not find GPU 99; pip install -e '.[gpu]', or give --devices cpu"
    ]


def test_numbers_of_workers_are_checked() -> None:
    done = CliRunner().invoke(main, ["--workers", "1,0"])

    assert done.exit_code == 2
    assert "must be 1 or more, got 0" in done.output


def test_one_worker_on_each_device_is_measured_first() -> None:
    cells = choose_cells((GPU, CPU), ("small", "large"), {GPU: [1, 2, 4], CPU: [1]})

    assert [str(cell) for cell in cells[:5]] == [
        "small on gpu, 1 worker", "large on gpu, 1 worker", "small on cpu, 1 worker", "large on cpu, 1 worker",
        "small on gpu, 2 workers",
    ]  # fmt: skip
    assert len(cells) == 8


def test_processes_see_the_gpu_of_their_device_and_no_other() -> None:
    assert Device(GPU, "3").environment["CUDA_VISIBLE_DEVICES"] == "3"
    assert Device(CPU).environment["CUDA_VISIBLE_DEVICES"] == "-1"


def test_table_compares_with_one_worker_on_the_cpu() -> None:
    lines = make_table(SPEEDS).splitlines()

    assert "| small | gpu, 2 workers | 1,900 | 19.00 |" in lines
    assert "| large | cpu, 1 worker | 10 | 1.00 |" in lines
    assert len(lines) == 2 + len(SPEEDS)


def test_number_over_all_models_is_among_those_that_all_were_measured_with() -> None:
    assert list(describe_best(SPEEDS)) == [
        "Fastest number of workers per gpu: 4 (small), 1 (large), 2 (geometric mean)."
    ]


def test_results_name_device_precision_and_what_is_missing(tmp_path: Path) -> None:
    missing = {Cell(GPU, 4, "large"): "out of memory"}

    text = write_results(tmp_path, [H100], SPEEDS, missing)

    assert "NVIDIA H100, compute capability 9.0, 81,559 MiB; precision mixed_bfloat16 (TensorFlow 2.20.0)" in text
    assert "Not measured: large on gpu, 4 workers: out of memory" in text
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["devices"][0]["compute_capability"] == "9.0"
    assert {"kind": "gpu", "n": 2, "model": "small", "images_per_second": 1900.0} in found["measured"]


def test_what_the_time_does_not_allow_is_named() -> None:
    cell = Cell(CPU, 1, "cifar10_model_1")
    plan = Plan({CPU: Device(CPU)}, (cell,), REQUEST, deadline=time.monotonic() - 1)

    assert list(plan.run()) == ["cifar10_model_1 on cpu, 1 worker: no time was left"]
    assert plan.missing == {cell: "no time was left"}


def test_first_epoch_and_the_wait_for_the_others_do_not_count() -> None:
    now = iter([0.0, 5.0, 65.0, 67.0, 69.5])
    met: list[str] = []
    epochs = Epochs(lambda: next(now), seconds=4.0, meet=lambda: met.append("all"))
    epochs.start()

    endings = [epochs.end() for _ in range(3)]

    assert met == ["all"]
    assert epochs.seconds[1:] == [2.0, 2.5]
    assert [ending is not None for ending in endings] == [False, False, True]


@pytest.mark.slow
def test_failure_of_one_ends_the_others() -> None:
    with pytest.raises(MeasurementError, match="missing_model"):
        train_side_by_side(
            Request(**{**vars(REQUEST), "model": "missing_model"}), Device(CPU), 2, timeout_seconds=3600
        )  # fmt: skip


@pytest.mark.slow
def test_trainings_that_take_too_long_are_ended() -> None:
    with pytest.raises(MeasurementError, match="not finished in time"):
        train_side_by_side(
            Request(**{**vars(REQUEST), "model": "cifar10_model_1"}), Device(CPU), 2, timeout_seconds=0.5
        )  # fmt: skip
