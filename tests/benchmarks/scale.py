"""What coordinating a trial costs, with few and with many trials before it: asked, opened, reported, closed, told.

    python -m tests.benchmarks.scale --trials 100,2000

A stub executor trains nothing: each job has three epochs of made-up figures.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from tests.benchmarks.table import draw_bars, markdown_table

N_EPOCHS = 3


@dataclass
class StubExecutor:
    """One worker that answers each job at once; ``ends`` are the times at which its jobs ended."""

    clock: Callable[[], float]
    n_workers: int = 1
    ends: list[float] = field(default_factory=list)
    _said: deque[tuple[int, Any]] = field(default_factory=deque)

    def start(self, worker: int) -> None:
        """Say that the worker is ready."""
        from pipeline.workers.events import Ready

        self._said.append((worker, Ready()))

    def send(self, worker: int, command: Any) -> None:
        """Play a whole training for a job."""
        from pipeline.workers.job import Job

        if isinstance(command, Job):
            self._said.extend((worker, event) for event in training_of(command))

    def poll(self, timeout_seconds: float) -> list[tuple[int, Any]]:
        """Return what the worker says next."""
        from pipeline.workers.events import Ended

        heard = [self._said.popleft()] if self._said else []
        if heard and isinstance(heard[0][1], Ended):
            self.ends.append(self.clock())
        return heard

    def kill(self, worker: int, *, patience_seconds: float = 0.0) -> None:
        """End nothing."""


def training_of(job: Any) -> Iterator[Any]:
    """Yield the events of a training whose accuracy follows from the trial's learning rate."""
    import math

    from pipeline.training.ending import Cause, Ending
    from pipeline.training.result import Epoch
    from pipeline.workers.events import Ended, EpochEnd, Started

    yield Started(job.number, job.name, N_EPOCHS)
    peak = 1 - abs(math.log10(job.configuration.plan.learning_rate) + 2) / 10
    for number in range(1, N_EPOCHS + 1):
        epoch = Epoch(number, 1.0, 0.5, 1.0, peak * number / N_EPOCHS, 0.1, 1.0)
        yield EpochEnd(job.number, 1, epoch)
    yield Ended(job.number, job.name, Ending(Cause.COMPLETE), epoch, 1.0)


def measure(sampler: str, counts: list[int], n_measured: int, clock: Callable[[], float]) -> list[float]:
    """Return the seconds of a trial with about each of ``counts`` trials before it, in a study of its own.

    Trials between those that are measured are proposed by the sampler ``random``, which is fast; they cost the same
    runs, reports and writes.
    """
    with TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        found = []
        for count in counts:
            if count > n_measured:
                search(Path(folder), "random", count - n_measured, clock)
            ends = search(Path(folder), sampler, count, clock)
            found.append((ends[-1] - ends[0]) / (len(ends) - 1))
        return found


def search(folder: Path, sampler: str, n_trials: int, clock: Callable[[], float]) -> list[float]:
    """Go on with the study until it has ``n_trials``; return when each of the new ones ended."""
    from pipeline.settings import SearchSettings, make_settings
    from pipeline.study import search as searching

    stub = StubExecutor(clock)
    searching.LocalExecutor = lambda context, n_workers: stub  # type: ignore[assignment,misc]
    settings = make_settings(
        SearchSettings, dataset="digits", study="scale", sampler=sampler, trials=n_trials, pruner="none",
        data_dir=folder,
    )  # fmt: skip
    searching.search(settings, lambda event: None, lambda trials, log: None)
    return stub.ends


@click.command()
@click.option("--samplers", default="tpe,random", show_default=True, help="Samplers, separated by commas.")
@click.option("--trials", default="100,2000", show_default=True, help="Trials that a study has, separated by commas.")
@click.option("--measured", default=50, show_default=True, help="The last trials, over which the mean is taken.")
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="wall", show_default=True,
              help="Seconds that pass, or of processor time, for a machine with other work to do.")  # fmt: skip
@click.option("--out", default=Path("benchmarks"), type=click.Path(path_type=Path), show_default=True,
              help="Folder of scale.md and scale.png.")  # fmt: skip
def main(samplers: str, trials: str, measured: int, clock: str, out: Path) -> None:
    """Measure the cost per trial of the coordination, by sampler and number of trials."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    chosen = time.process_time if clock == "cpu" else time.perf_counter
    counts = [int(count) for count in trials.split(",")]
    found = {sampler: measure(sampler, counts, measured, chosen) for sampler in samplers.split(",")}
    rows = [
        (sampler, *(f"{1000 * value:.0f}" for value in values), f"{values[-1] / values[0]:.2f}")
        for sampler, values in found.items()
    ]
    head = ("sampler", *(f"ms a trial at {count:,}" for count in counts), "last / first")
    table = markdown_table(head, rows)
    out.mkdir(parents=True, exist_ok=True)
    (out / "scale.md").write_text(table + "\n")
    bars = {
        sampler: {f"{count:,} trials": 1000 * value for count, value in zip(counts, values, strict=True)}
        for sampler, values in found.items()
    }
    draw_bars(bars, out / "scale.png", title="Coordination", unit="ms a trial")
    click.echo(table)


if __name__ == "__main__":
    main()
