"""The options that benchmarks share, and the settings that a folder of results was made with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline.paths import default_data_dir

CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def out_option(name: str) -> Callable[[Any], Any]:
    """Return the option ``--out`` of a benchmark."""
    return click.option(
        "--out", default=Path("benchmarks") / name, type=click.Path(path_type=Path, file_okay=False),
        show_default=True, help="Folder of results.",
    )  # fmt: skip


def clock_option() -> Callable[[Any], Any]:
    """Return the option ``--clock``: a name among ``CLOCKS``."""
    return click.option(
        "--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True,
        help="Seconds that pass, or of processor time, for a machine with other work to do.",
    )  # fmt: skip


def data_dir_option() -> Callable[[Any], Any]:
    """Return the option ``--data-dir``: a folder."""
    return click.option(
        "--data-dir", default=default_data_dir, type=click.Path(path_type=Path, file_okay=False),
        show_default="$PIPELINE_DATA_DIR, or Keras's cache", help="Folder with cifar10.npz and so on.",
    )  # fmt: skip


def check_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Keep results of different settings out of one table: those of the first results in ``folder`` stand in a file.

    Raises:
        UsageError: there are results with others.
    """
    path = folder / "settings.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1))
    known = json.loads(path.read_text())
    if changed := [name for name, value in settings.items() if known.get(name) != value]:
        raise click.UsageError(f"{folder} has results with another {', '.join(changed)}; give --out another folder")
