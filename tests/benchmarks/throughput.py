"""Training speed: documents' models by a plain Keras script and by the trainer, interleaved, a process each.

Run ``python -m tests.benchmarks.throughput --cores 1 --rounds 3`` from the repository root. That both ways end at the
same accuracy takes more images and epochs to show: ``--cores 2 --n-images 44800 --n-validation 5200 --epochs 10``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, geometric_mean, median, stdev

import click

from .one_training import Measured, Request
from .options import clock_option, out_option
from .report import draw_bars, markdown_table, write_report

LARGEST_BATCH = 128  # of these models; the others' divide it
MODELS = ("cifar10_model_1", "cifar10_model_8", "cifar10_search_4")


@dataclass(frozen=True)
class Way:
    """A way to train: with the trainer's ``precision``, None: by the script; and what TensorFlow's oneDNN is set to."""

    precision: str | None = None
    one_dnn: str | None = None


SCRIPT, SCRIPT_ONE_DNN = "script", "script, oneDNN on"
WAYS = {
    SCRIPT: Way(),
    SCRIPT_ONE_DNN: Way(one_dnn="1"),
    "pipeline, float32": Way("float32", one_dnn="1"),
    "pipeline, auto": Way("auto", one_dnn="1"),
}
Figures = dict[str, dict[str, list[Measured]]]
"""What was measured, round by round, by model and way."""


@dataclass(frozen=True)
class Plan:
    """What is measured; with ``avx2`` the kernels are those of a CPU without AVX-512, where oneDNN is off by itself."""

    models: tuple[str, ...]
    rounds: int
    request: Mapping[str, object]
    avx2: bool = False
    figures: Figures = field(default_factory=dict)

    @property
    def ways(self) -> dict[str, Way]:
        """The ways that are compared; on a CPU without AVX-512, ``auto`` is float32."""
        return {name: way for name, way in WAYS.items() if not (self.avx2 and way.precision == "auto")}

    def run(self) -> Iterator[str]:
        """Measure everything, and yield a line for each training."""
        for number in range(self.rounds):
            for model in self.models:
                for name, way in self.ways.items():
                    request = Request(model=model, precision=way.precision, seed=number, **self.request)  # type: ignore[arg-type]
                    found = train_in_a_process(request, self._environment(way))
                    self.figures.setdefault(model, {}).setdefault(name, []).append(found)
                    yield f"round {number + 1}: {model} by {name}: {found.images_per_second:,.0f} images/s"

    def _environment(self, way: Way) -> dict[str, str]:
        chosen = {"TF_ENABLE_ONEDNN_OPTS": way.one_dnn or ("0" if self.avx2 else "")}
        if self.avx2:
            chosen["ONEDNN_MAX_CPU_ISA"] = "AVX2"
        kept = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
        return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **{name: value for name, value in chosen.items() if value}}


def train_in_a_process(request: Request, environment: Mapping[str, str]) -> Measured:
    """Train in a process of its own, as a user's script would."""
    command = [sys.executable, "-m", "tests.benchmarks.one_training", json.dumps(asdict(request))]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(environment), check=False)
    if done.returncode != 0:
        raise click.ClickException(done.stderr)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def speed(found: list[Measured]) -> float:
    """Return the median images/s over the rounds."""
    return median(one.images_per_second for one in found)


def make_table(figures: Figures) -> str:
    """Return the table of all models and ways, with the ratios to the two scripts."""
    head = ("model", "trained by", "images/s (range)", f"/ {SCRIPT}", f"/ {SCRIPT_ONE_DNN}", "whole training",
            "accuracy", "val_accuracy", f"points ahead of {SCRIPT}")  # fmt: skip
    rows = []
    for model, ways in figures.items():
        for name, found in ways.items():
            speeds = [one.images_per_second for one in found]
            rows.append((
                model, name, f"{speed(found):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})",
                f"{ratio(ways, name, SCRIPT):.2f}", f"{ratio(ways, name, SCRIPT_ONE_DNN):.2f}",
                f"{median(one.seconds for one in found):.1f} s",
                spread([one.accuracy for one in found]), spread([one.val_accuracy for one in found]),
                points_ahead(found, ways[SCRIPT]),
            ))  # fmt: skip
    return markdown_table(head, [*rows, *mean_rows(figures)])


def mean_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    """Yield the geometric means of the ratios over the models."""
    for name in next(iter(figures.values())):
        means = (
            geometric_mean([ratio(ways, name, base) for ways in figures.values()]) for base in (SCRIPT, SCRIPT_ONE_DNN)
        )
        yield "geometric mean", name, "", *(f"{mean:.2f}" for mean in means), "", "", "", ""


def ratio(ways: Mapping[str, list[Measured]], name: str, base: str) -> float:
    """Return how many times as fast a way is as another."""
    return speed(ways[name]) / speed(ways[base])


def spread(values: list[float]) -> str:
    """Return mean and standard deviation over the rounds, each with a seed of its own."""
    return f"{fmean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def points_ahead(found: list[Measured], base: list[Measured]) -> str:
    """Return by how many points of val_accuracy a way is ahead of another: the mean of the rounds, its error."""
    ahead = [100 * (one.val_accuracy - other.val_accuracy) for one, other in zip(found, base, strict=True)]
    return f"{fmean(ahead):+.2f}" + (f" ± {stdev(ahead) / len(ahead) ** 0.5:.2f}" if len(ahead) > 1 else "")


@click.command()
@click.option("--models", default=",".join(MODELS), show_default=True, help="Documents' models, separated by commas.")
@click.option("--rounds", default=3, show_default=True, help="Trainings of each kind, each with a seed of its own.")
@click.option("--epochs", default=3, show_default=True, help="Epochs of a training; the first is not counted.")
@click.option("--n-images", default=12_544, show_default=True,
              help="Training images, in full batches: the pipeline leaves out what fills none.")  # fmt: skip
@click.option("--n-validation", default=1_400, show_default=True, help="Validation images.")
@click.option("--cores", default=1, show_default=True, help="Cores of each training, which run one after another.")
@click.option("--images", type=click.Choice(["cifar10", "random"]), default="cifar10", show_default=True,
              help="Real ones, of $PIPELINE_DATA_DIR, or made-up ones.")  # fmt: skip
@clock_option()
@click.option("--avx2", is_flag=True, help="Use the kernels of a CPU that has AVX2, but not AVX-512.")
@out_option("throughput")
def main(models: str, rounds: int, avx2: bool, out: Path, **request: object) -> None:
    """Measure how fast documents' models are trained by a plain Keras script, and by the pipeline."""
    if int(str(request["n_images"])) % LARGEST_BATCH:
        raise click.BadParameter(f"--n-images must be a multiple of {LARGEST_BATCH}, so that all fill their batches")
    plan = Plan(tuple(models.split(",")), rounds, request, avx2)
    for line in plan.run():
        click.echo(line, err=True)
    speeds = {model: {name: speed(found) for name, found in ways.items()} for model, ways in plan.figures.items()}
    bars = draw_bars(speeds, title="Training speed", unit="images/s")
    click.echo(write_report(out, "throughput", make_table(plan.figures), bars))


if __name__ == "__main__":
    main()
