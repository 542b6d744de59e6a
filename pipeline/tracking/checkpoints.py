"""The checkpoints of trainings, found by the run that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path

from pipeline.act import Act
from pipeline.tracking.run_states import find_run
from pipeline.tracking.store import TrackingStore


def checkpoints_of(store: TrackingStore, run_id: str | None) -> list[Path]:
    """Return the checkpoints of a run's training, one a fold, and parts of some."""
    return sorted(store.checkpoints.glob(f"{run_id}-*")) if run_id else []


def remove(files: Iterable[Path]) -> None:
    """Remove files, those that are gone by now included."""
    for file in files:
        file.unlink(missing_ok=True)


def size_of(files: Iterable[Path]) -> int:
    """Return the bytes that files have together; one that another process has removed by now has none."""
    n_bytes = 0
    for file in files:
        with suppress(FileNotFoundError):
            n_bytes += file.stat().st_size
    return n_bytes


def act_on_training(
    verb: str, what: str, do: Callable[[], object], store: TrackingStore, run_id: str | None
) -> Act:  # fmt: skip
    """Return the act that ends a training for good: its checkpoints go with it."""
    files = checkpoints_of(store, run_id)

    def end() -> None:
        do()
        remove(files)

    return Act(verb, what, end, size_of(files))


def checkpoint_acts(store: TrackingStore, waiting: Container[str]) -> Iterator[Act]:
    """Remove the checkpoints of runs that have ended or do not exist.

    Those of runs that wait stay, and those whose trial is known to be ``waiting``, whatever the run says.
    """
    for run_id, found in groupby(sorted(store.checkpoints.glob("*-*.npz")), key=_run_of):
        files = list(found)
        run = find_run(store, run_id)
        if run is None or run.is_deleted or (run.has_ended and run_id not in waiting):
            whose = f"run {run_id}, which does not exist" if run is None else f"{run.name}, which has ended"
            several = "s" if len(files) > 1 else ""
            yield Act("remove", f"the checkpoint{several} of {whose}", partial(remove, files), size_of(files))


def _run_of(file: Path) -> str:
    return file.stem.rpartition("-")[0]
