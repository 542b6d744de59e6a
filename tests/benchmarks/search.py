"""Compare search with its peers: the same images, split, seconds and cores.

Run ``python -m tests.benchmarks.search --minutes 20 --seeds 3`` from the repository root.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from .competitors.registry import COMPETITORS
from .competitors.task import Task
from .contest import ROOT, hold_contest
from .cores import usable_cores
from .options import check_settings, data_dir_option, out_option
from .reduced import N_IMAGES, write_reduced

_SPACE = str(ROOT / "search_spaces" / "cifar10.yaml")


@click.command(context_settings={"max_content_width": 110, "show_default": True})
@click.option("--competitors", default="all", help=f"Comma-separated, or all: {', '.join(COMPETITORS)}.")
@click.option("--minutes", default=20.0, type=click.FloatRange(min=0, min_open=True), help="Budget of each in minutes.")
@click.option("--seeds", default=3, type=click.IntRange(min=1), help="Number of seeds: 0, 1, ...")
@click.option("--first-seed", default=0, type=click.IntRange(min=0), help="First of the seeds.")
@click.option("--images", default=N_IMAGES, type=click.IntRange(min=100), help="Training images of CIFAR-10 sampled.")
@click.option("--full", is_flag=True, help="All images of CIFAR-10 at 32x32 pixels, in place of fewer at 16x16.")
@click.option("--dataset", type=click.Path(exists=True, dir_okay=False), help="An .npz in place of CIFAR-10.")
@click.option("--space", default=_SPACE, type=click.Path(exists=True), show_default="search_spaces/cifar10.yaml",
              help="Our search space; its first configuration is the prior.")  # fmt: skip
@click.option("--precision", default="auto", help="Of ours, the recipe and peers at our speed.")
@click.option("--cores", default=None, show_default="the first two",
              help="Cores, comma-separated: a competitor on each at a time.")  # fmt: skip
@data_dir_option()
@out_option("search")
@click.option("--most-epochs", type=click.IntRange(min=1), help="End each after so many epochs: for a trial run.")
@click.option("--summarize", is_flag=True, help="Only write tables and figure again.")
def main(
    competitors: str, minutes: float, seeds: int, first_seed: int, images: int, full: bool, dataset: str | None,
    space: str, precision: str, cores: str | None, data_dir: Path, out: Path, most_epochs: int | None,
    summarize: bool,
) -> None:  # fmt: skip
    """Run each competitor with each seed, two at a time on a core each, and write tables and a figure.

    Pairs of competitor and seed that have a result are left out, so that the same command goes on where it stopped. The
    budget is the time of the competitor's process, imports and loading included.
    """
    folder = out.resolve()
    if not summarize:
        names = _chosen(competitors)
        npz = Path(dataset).resolve() if dataset else _cifar10(folder, data_dir, None if full else images)
        own_space = str(Path(space).resolve())
        check_settings(folder, {"minutes": minutes, "dataset": str(npz), "space": own_space, "cpus": os.cpu_count()})
        first = Task("", str(npz), own_space, 0, minutes, "", precision, most_epochs=most_epochs)
        tasks = [
            replace(first, competitor=name, seed=seed, folder=str(folder / name / f"seed-{seed}"))
            for seed in range(first_seed, first_seed + seeds)
            for name in names
        ]
        hold_contest(tasks, usable_cores(cores), click.echo)
    from .search_report import write_search_report

    click.echo(write_search_report(folder))


def _chosen(listed: str) -> list[str]:
    """Return the competitors that are listed and can run here; the others get a line."""
    names = list(COMPETITORS) if listed == "all" else [name.strip() for name in listed.split(",")]
    if unknown := [name for name in names if name not in COMPETITORS]:
        raise click.BadParameter(f"must be among {', '.join(COMPETITORS)}, got {', '.join(unknown)}")
    for name in names:
        if not COMPETITORS[name].is_installed:
            click.echo(f"{name} is left out: {COMPETITORS[name].library} is missing; pip install -e '.[benchmarks]'")
    return [name for name in names if COMPETITORS[name].is_installed]


def _cifar10(folder: Path, data_dir: Path, images: int | None) -> Path:
    name = "cifar10_full.npz" if images is None else f"cifar10_{images}_16x16.npz"
    factor = 1 if images is None else 2
    return write_reduced("cifar10", folder / name, data_dir=data_dir, n_images=images, factor=factor)


if __name__ == "__main__":
    main()
