"""Training speed on a GPU and on the CPU of the same machine, and how many workers a GPU carries best.

Run ``python -m tests.benchmarks.gpu`` from the repository root.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from pipeline.training.device import visible_gpus

from .gpu_report import Cell, write_results
from .one_training import Request
from .options import out_option
from .side_by_side import CPU, GPU, Device, MeasurementError, train_side_by_side
from .throughput import LARGEST_BATCH, MODELS

_MANY_EPOCHS = 10_000  # the seconds end a training
_CPU_SHARE = 4  # of the images that a GPU has in an epoch, a CPU has one in so many


class NoGpuError(click.ClickException):
    """There is no GPU to measure."""

    exit_code = 2


@dataclass(frozen=True)
class Plan:
    """What is measured, and until when (of ``time.monotonic()``).

    ``speeds`` are images/s of all workers together, ``missing`` says why there are none.
    """

    devices: dict[str, Device]
    cells: tuple[Cell, ...]
    request: Request
    deadline: float
    speeds: dict[Cell, float] = field(default_factory=dict)
    missing: dict[Cell, str] = field(default_factory=dict)

    def run(self) -> Iterator[str]:
        """Measure cell by cell as long as there is time, and yield a line for each."""
        for cell in self.cells:
            try:
                self.speeds[cell] = self._measure(cell, self.deadline - time.monotonic())
                yield f"{cell}: {self.speeds[cell]:,.0f} images/s"
            except MeasurementError as error:
                self.missing[cell] = str(error)
                yield f"{cell}: {error}"

    def _measure(self, cell: Cell, seconds_left: float) -> float:
        if seconds_left <= 0:
            raise MeasurementError("no time was left")
        n_images = self.request.n_images
        if cell.kind == CPU and GPU in self.devices:
            n_images = max(LARGEST_BATCH, n_images // _CPU_SHARE // LARGEST_BATCH * LARGEST_BATCH)
        values = {**asdict(self.request), "model": cell.model, "n_images": n_images}
        values["n_validation"] = self.request.n_validation * n_images // self.request.n_images
        found = train_side_by_side(
            Request(**values), self.devices[cell.kind], cell.n, timeout_seconds=seconds_left
        )  # fmt: skip
        return sum(one.images_per_second for one in found)


def choose_devices(kinds: str) -> dict[str, Device]:
    """Return the devices of a list of kinds.

    Raises:
        NoGpuError: a GPU is asked for where there is none, or where TensorFlow does not find it.
    """
    devices = {CPU: Device(CPU)} if CPU in kinds.split(",") else {}
    if GPU not in kinds.split(","):
        return devices
    gpus = visible_gpus()
    if not gpus:
        raise NoGpuError("there is no GPU here; --devices cpu measures the CPU alone")
    device = Device(GPU, gpus[0])
    if not device.facts().gpu:
        raise NoGpuError(f"TensorFlow does not find GPU {gpus[0]}; pip install -e '.[gpu]', or give --devices cpu")
    return {GPU: device, **devices}


def choose_cells(kinds: tuple[str, ...], models: tuple[str, ...], workers: dict[str, list[int]]) -> tuple[Cell, ...]:
    """Return what is measured, first one worker on each device: where the time is short, the rest is left out."""
    pairs = [(n, kind) for kind in kinds for n in workers[kind]]
    return tuple(Cell(kind, n, model) for n, kind in sorted(pairs, key=lambda pair: pair[0]) for model in models)


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        numbers = [int(part) for part in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"must be numbers separated by commas, got '{value}'") from error
    if min(numbers) < 1:
        raise click.BadParameter(f"must be 1 or more, got {min(numbers)}")
    return numbers


@click.command(context_settings={"show_default": True})
@click.option("--devices", default="gpu,cpu", type=click.Choice(["gpu,cpu", "gpu", "cpu"]), help="What to measure.")
@click.option("--models", default=",".join(MODELS), help="Documents' models, separated by commas.")
@click.option("--workers", default="1,2,4", callback=_numbers, help="Numbers of trainings side by side on a GPU.")
@click.option("--cpu-workers", default="1", callback=_numbers, help="Numbers of trainings side by side on the CPU.")
@click.option("--seconds", default=6.0, type=click.FloatRange(min=0),
              help="Time of each measurement, after a first epoch that is not counted.")  # fmt: skip
@click.option("--minutes", default=9.5, type=click.FloatRange(min=0, min_open=True),
              help="Time of all; what does not fit is left out.")  # fmt: skip
@click.option("--n-images", default=12_544, type=click.IntRange(min=LARGEST_BATCH),
              help="Training images of an epoch; beside a GPU, a CPU has a quarter of them.")  # fmt: skip
@click.option("--n-validation", default=1_400, type=click.IntRange(min=1), help="Validation images.")
@click.option("--precision", default="auto", help="Floating-point type of the computation.")
@click.option("--images", type=click.Choice(["random", "cifar10"]), default="random",
              help="Made-up ones, or real ones, of $PIPELINE_DATA_DIR.")  # fmt: skip
@out_option("gpu")
def main(
    devices: str, models: str, workers: list[int], cpu_workers: list[int], seconds: float, minutes: float,
    n_images: int, n_validation: int, precision: str, images: str, out: Path,
) -> None:  # fmt: skip
    """Measure training speed on a GPU against the CPU, and with several workers on the GPU."""
    if n_images % LARGEST_BATCH:
        raise click.BadParameter(f"--n-images must be a multiple of {LARGEST_BATCH}, so that all fill their batches")
    deadline, chosen = time.monotonic() + 60 * minutes, choose_devices(devices)
    request = Request(
        model="", precision=precision, n_images=n_images, n_validation=n_validation, epochs=_MANY_EPOCHS, seed=0,
        cores=1, images=images, seconds=seconds,
    )  # fmt: skip
    facts = [device.facts() for device in chosen.values()]
    for fact in facts:
        click.echo(fact, err=True)
    cells = choose_cells(tuple(chosen), tuple(models.split(",")), {GPU: workers, CPU: cpu_workers})
    plan = Plan(chosen, cells, request, deadline)
    for line in plan.run():
        click.echo(line, err=True)
    if not plan.speeds:
        raise click.ClickException("nothing could be measured; the lines above say why")
    click.echo(write_results(out, facts, plan.speeds, plan.missing))


if __name__ == "__main__":
    main()
