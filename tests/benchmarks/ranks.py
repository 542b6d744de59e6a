"""Do short trainings rank configurations as long ones do? Rank correlation of three budgets on two data sets.

Run ``python -m tests.benchmarks.ranks --configurations 20 --seconds 24`` from the repository root.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click

from pipeline.paths import space_path

from .competitors.spaces import our_space
from .cores import pin_next, usable_cores
from .drawing import draw_configurations
from .options import check_settings, clock_option, data_dir_option, out_option
from .rank_report import write_rank_report
from .rank_training import Comparison, compare
from .reduced import N_IMAGES, write_reduced


@click.command(context_settings={"max_content_width": 110, "show_default": True})
@click.option("--configurations", default=20, type=click.IntRange(min=4), help="Configurations for each data set.")
@click.option("--seconds", default=24.0, type=click.FloatRange(min=0, min_open=True),
              help="Shortest budget T0 in seconds; the others are 4 and 16 times as long.")  # fmt: skip
@click.option("--datasets", default="cifar10,mnist",
              help="Comma-separated: named sets, reduced to --images of half the side, or .npz files.")  # fmt: skip
@click.option("--space", type=click.Path(exists=True), show_default="each data set's own", help="Search space.")
@click.option("--images", default=N_IMAGES, type=click.IntRange(min=100), help="Training images of a named set.")
@click.option("--seed", default=0, type=click.IntRange(min=0), help="Seed of draws, split and trainings.")
@click.option("--precision", default="auto", help="Floating-point type of the computation.")
@click.option("--cores", default=None, show_default="the first two", help="Cores, comma-separated.")
@clock_option()
@data_dir_option()
@out_option("ranks")
@click.option("--summarize", is_flag=True, help="Only write tables and figure again.")
def main(out: Path, summarize: bool, cores: str | None, data_dir: Path, **given: Any) -> None:
    """Train configurations of a space completely at three budgets each, on a core each, and correlate the ranks.

    What has been trained already is left out, so that the same command goes on where it stopped.
    """
    folder = out.resolve()
    if not summarize:
        check_settings(folder, given)
        _train_all(folder, list(_comparisons(folder, data_dir, **given)), usable_cores(cores))
    click.echo(write_rank_report(folder))


def _comparisons(
    folder: Path, data_dir: Path, *, configurations: int, seconds: float, datasets: str, space: str | None, images: int,
    seed: int, precision: str, clock: str,
) -> Iterator[Comparison]:  # fmt: skip
    for name in datasets.split(","):
        npz = Path(name).resolve()
        if npz.suffix != ".npz":
            npz = write_reduced(name, folder / f"{name}.npz", data_dir=data_dir, n_images=images, factor=2)
        drawn = draw_configurations(our_space(space_path(space, name)), configurations, seed=seed)
        for number, draw in enumerate(drawn):
            yield Comparison(str(npz), number, draw.origin, draw.knobs, seconds, seed, precision, clock)


def _train_all(folder: Path, comparisons: list[Comparison], cores: list[int]) -> None:
    path = folder / "ranks.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(one["dataset"], one["number"]) for one in known}
    left = [one for one in comparisons if (one.dataset, one.number) not in done]
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for core in cores:
        free.put(core)
    with ProcessPoolExecutor(len(cores), mp_context=context, initializer=pin_next, initargs=(free,)) as pool:
        for future in as_completed([pool.submit(compare, one) for one in left]):
            result = future.result()
            with path.open("a") as file:
                file.write(json.dumps(result) + "\n")
            figures = ", ".join(f"{one['val_accuracy']:.4f} in {one['epochs']} epochs" for one in result["budgets"])
            click.echo(f"{Path(result['dataset']).stem} {result['number']} ({result['origin']}): {figures}")


if __name__ == "__main__":
    main()
