"""Each benchmark runs in a small form, and leaves its table and its figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

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
