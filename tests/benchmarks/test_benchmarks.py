"""Each benchmark runs in a small form, and leaves its table and its figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.one_training import Measured
from benchmarks.throughput import SCRIPT, SCRIPT_ONE_DNN, make_table

ROOT = Path(__file__).parents[2]
SMALL = {
    "throughput": ["--models", "cifar10_model_1", "--rounds", "1", "--epochs", "2", "--n-images", "128",
                   "--n-validation", "32", "--images", "random"],
    "overhead": ["--trials", "1", "--epochs", "2"],
    "scale": ["--trials", "8,12", "--measured", "3"],
    "gpu": ["--devices", "cpu", "--cpu-workers", "1,2", "--models", "cifar10_model_1", "--n-images", "128",
            "--n-validation", "32", "--seconds", "0.2", "--minutes", "60"],
}  # fmt: skip
SAYS = {
    "throughput": ("| cifar10_model_1 | pipeline, float32 |", "| geometric mean |"),
    "overhead": ("| figures: rendering, writing |", "**a trial beyond its training**"),
    "gpu": ("; precision", "| cifar10_model_1 | cpu, 2 workers |", "Fastest number of workers per cpu: "),
    "scale": ("| brackets |", "| plain, tpe |", "ms a trial at 12"),
}


def test_throughput_tells_by_how_many_points_a_way_is_ahead_of_the_script_round_by_round() -> None:
    ways = {
        SCRIPT: [Measured(100, 1, 0.5, accuracy) for accuracy in (0.70, 0.72, 0.74)],
        SCRIPT_ONE_DNN: [Measured(100, 1, 0.5, 0.7)] * 3,
        "pipeline, float32": [Measured(130, 1, 0.5, accuracy) for accuracy in (0.71, 0.72, 0.76)],
    }

    table = make_table({"cifar10_model_1": ways})

    (row,) = (line for line in table.splitlines() if line.startswith("| cifar10_model_1 | pipeline, float32 |"))
    assert row.endswith("| 0.7300 ± 0.0265 | +1.00 ± 0.58 |")


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_benchmark_leaves_a_table_and_a_figure(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *SMALL[name], "--out", str(tmp_path)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    table = (tmp_path / f"{name}.md").read_text()
    assert table.strip() in done.stdout
    for cell in SAYS[name]:
        assert cell in table
    with Image.open(tmp_path / f"{name}.png") as figure:
        assert min(figure.size) > 200
