"""Kill workers and commands of a study at random until it is done, and check that nothing was lost.

Run ``python -m tests.benchmarks.soak --seed 1`` from the repository root; the exit code is 1 where something was lost.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..options import out_option
from ..report import markdown_table
from .checks import check
from .kills import ALL, COMMAND, WORKER, Soak


@click.command()
@click.option("--seed", default=0, show_default=True, help="Of the study, and of what is killed when.")
@click.option("--trials", default=60, show_default=True, help="Trials of the study.")
@click.option("--workers", default=2, show_default=True, help="Workers of a command.")
@click.option("--worker-kills", default=30, show_default=True, help="Workers that are killed.")
@click.option(
    "--command-kills", default=3, show_default=True, help="Commands that are killed, each 2nd with its workers."
)
@out_option("soak")
def main(seed: int, trials: int, workers: int, worker_kills: int, command_kills: int, out: Path) -> None:
    """Kill workers and commands of a study at random until it is done, and check that nothing was lost."""
    folder = out / f"seed-{seed}"
    if folder.exists():
        raise click.UsageError(f"{folder} has a soak already; remove it, or give --out another folder")
    folder.mkdir(parents=True)
    commands = [(COMMAND, ALL)[number % 2] for number in range(command_kills)]
    soak = Soak(folder.resolve(), trials, workers, seed, to_kill=[WORKER] * worker_kills + commands)
    start = time.monotonic()
    soak.run()
    seconds = time.monotonic() - start
    found = check(soak, n_killed=worker_kills + command_kills)
    rows = [("yes" if one.holds else "**no**", one.name, one.found) for one in found]
    text = f"seed {seed}, {seconds:.0f} s\n\n" + markdown_table(("holds", "what", "found"), rows)
    (folder / "soak.md").write_text(text + "\n")
    click.echo(text)
    sys.exit(not all(one.holds for one in found))


if __name__ == "__main__":
    main()
