"""What the machine has and lacks is named."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from pipeline.doctor.machine import describe_gpus, describe_machine


def lines(folder: Path) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in describe_machine(folder))


def test_disk_memory_gpus_and_browser_are_named(tmp_path: Path) -> None:
    found = lines(tmp_path / "is" / "not" / "there")

    assert list(found) == ["disk", "memory", "GPU", "browser"]
    assert found["disk"].endswith(f"GB free in {tmp_path}")
    assert found["memory"].endswith("available")


def test_full_disk_and_memory_are_named_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, memory = namedtuple("disk", "total used free"), namedtuple("memory", "total available")
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk(10**12, 10**12 - 10**6, 10**6))
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(8 * 10**9, 10**9))

    found = lines(tmp_path)

    assert found["disk"].startswith("lacking: a study may need 2.0 GB; free some space, 1.0 MB free in ")
    assert found["memory"] == "lacking: a worker needs about 1 GB, 1.0 GB of 8.0 GB available"


def test_gpus_that_tensorflow_does_not_find_are_named_with_what_to_install() -> None:
    assert describe_gpus(2, ["A100", "A100"]) == "2 (A100)".join(["GPU: ", ""])
    lacking = describe_gpus(1, [])
    assert lacking.startswith("GPU: lacking: nvidia-smi lists 1, but TensorFlow finds 0; ")
    assert "pip install 'knobsearch[gpu]'" in lacking


def test_machine_without_gpus_is_not_asked_for_them_through_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert lines(tmp_path)["GPU"] == "none"


@pytest.mark.slow
def test_gpu_that_only_the_driver_has_is_found_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert lines(tmp_path)["GPU"].startswith("lacking: nvidia-smi lists 1, but TensorFlow finds 0; ")


def test_missing_browser_is_named_with_another_way_to_the_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser

    def none(using: str | None = None) -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert lines(tmp_path)["browser"].startswith("lacking: there is none for the MLflow UI; ")
