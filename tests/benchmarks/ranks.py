"""Do short trainings rank configurations as long ones do? Rank correlation of three budgets on two data sets.

python -m tests.benchmarks.ranks --configurations 20 --seconds 24 --out benchmark_ranks
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click

from pipeline.knobs.reader import read_space
from pipeline.model.model_file.documents import find_point
from pipeline.paths import default_data_dir, space_path

from .cores import pin_next, usable_cores
from .drawing import draw_configurations
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
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False), help="Folder with cifar10.npz.")
@click.option("--out", default="benchmark_ranks", type=click.Path(file_okay=False), help="Folder of results.")
@click.option("--summarize", is_flag=True, help="Only write tables and figure again.")
def main(out: str, summarize: bool, cores: str | None, **given: Any) -> None:
    """Train configurations of a space completely at three budgets each, on a core each, and correlate the ranks.

    What has been trained already is left out, so that the same command goes on where it stopped.
    """
    folder = Path(out).resolve()
    if not summarize:
        folder.mkdir(parents=True, exist_ok=True)
        _check_same(folder, given)
        _train_all(folder, list(_comparisons(folder, **given)), usable_cores(cores))
    click.echo(write_rank_report(folder))


def _comparisons(
    folder: Path, *, configurations: int, seconds: float, datasets: str, space: str | None, images: int, seed: int,
    precision: str, data_dir: str | None,
) -> Iterator[Comparison]:  # fmt: skip
    for name in datasets.split(","):
        npz = Path(name).resolve()
        if npz.suffix != ".npz":
            source = Path(data_dir) if data_dir else default_data_dir()
            npz = write_reduced(name, folder / f"{name}.npz", data_dir=source, n_images=images, factor=2)
        read = read_space(Path(space) if space else space_path(None, name), find_point=find_point)
        for number, draw in enumerate(draw_configurations(read, configurations, seed=seed)):
            yield Comparison(str(npz), number, draw.origin, draw.knobs, seconds, seed, precision)


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


def _check_same(folder: Path, given: dict[str, Any]) -> None:
    """Keep results of different budgets or draws out of one table."""
    path = folder / "settings.json"
    if not path.exists():
        path.write_text(json.dumps(given, indent=1))
    known = json.loads(path.read_text())
    if changed := [name for name, value in given.items() if known.get(name) != value]:
        raise click.UsageError(f"{folder} has results with another {', '.join(changed)}; give --out another folder")


if __name__ == "__main__":
    main()
