"""What coordinating a trial costs, with few and with many trials before it: asked, opened, reported, closed, told.

Run ``python -m tests.benchmarks.scale --trials 100,2000`` from the repository root.

A stub executor trains nothing: each job has three epochs of made-up figures.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from .options import CLOCKS, clock_option, out_option
from .report import draw_bars, markdown_table, write_report

N_EPOCHS, N_VALIDATION = 3, 287
STRATEGIES = {
    "brackets": {"strategy": "brackets"},
    "plain, tpe": {"strategy": "plain", "sampler": "tpe", "pruner": "none"},
    "plain, random": {"strategy": "plain", "sampler": "random", "pruner": "none"},
}
"""What is measured, by its name in the table: the settings of a search."""


@dataclass
class StubExecutor:
    """One worker that answers each job at once; ``ends`` are the times at which its jobs ended."""

    clock: Callable[[], float]
    n_workers: int = 1
    n_places: int = 1
    n_devices: int = 1
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

    import numpy as np

    from pipeline.evaluation.paired import pack_scores
    from pipeline.training.ending import Cause, Ending
    from pipeline.training.result import Epoch
    from pipeline.workers.events import Ended, EpochEnd, Started

    yield Started(job.number, job.name, N_EPOCHS)
    peak = 1 - abs(math.log10(job.configuration.plan.learning_rate) + 2) / 10
    for number in range(1, N_EPOCHS + 1):
        share = number / N_EPOCHS
        epoch = Epoch(number, 1.0, 0.5, 1.0, peak * share, 0.1, 1.0, share)
        yield EpochEnd(job.number, 1, epoch)
    scores = np.random.default_rng(job.number).random(N_VALIDATION) < peak
    yield Ended(
        job.number, job.name, Ending(Cause.COMPLETE), epoch, 1.0, figures={"best_val_accuracy": peak},
        scores=pack_scores(scores.astype(np.float16)),
    )  # fmt: skip


def measure(settings: Mapping[str, str], counts: list[int], n_measured: int, clock: Callable[[], float]) -> list[float]:
    """Return the seconds of a trial with about each of ``counts`` trials before it, in a study of its own.

    Trials between those that are measured are proposed by the sampler ``random``, which is fast; they cost the same
    runs, reports and writes.
    """
    with TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        found = []
        for count in counts:
            if count > n_measured:
                search(Path(folder), {**settings, "sampler": "random"}, count - n_measured, clock)
            ends = search(Path(folder), settings, count, clock)
            found.append((ends[-1] - ends[0]) / (len(ends) - 1))
        return found


def search(folder: Path, given: Mapping[str, str], n_trials: int, clock: Callable[[], float]) -> list[float]:
    """Go on with the study until it has ``n_trials``; return when each of the new ones ended."""
    from pipeline.settings import SearchSettings, make_settings
    from pipeline.study import search as searching

    stub = StubExecutor(clock)
    searching.make_executor = lambda context, data: stub  # type: ignore
    settings = make_settings(
        SearchSettings, dataset="digits", study="scale", trials=n_trials, data_dir=folder, **given
    )  # fmt: skip
    searching.search(settings, lambda event: None, lambda trials, log: None)
    return stub.ends


@click.command()
@click.option("--trials", default="100,2000", show_default=True, help="Trials that a study has, separated by commas.")
@click.option("--measured", default=50, show_default=True, help="The last trials, over which the mean is taken.")
@clock_option()
@out_option("scale")
def main(trials: str, measured: int, clock: str, out: Path) -> None:
    """Measure the cost per trial of the coordination, by strategy and number of trials."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    counts = [int(count) for count in trials.split(",")]
    found = {name: measure(settings, counts, measured, CLOCKS[clock]) for name, settings in STRATEGIES.items()}
    rows = [
        (name, *(f"{1000 * value:.0f}" for value in values), f"{values[-1] / values[0]:.2f}")
        for name, values in found.items()
    ]
    head = ("strategy", *(f"ms a trial at {count:,}" for count in counts), "last / first")
    bars = {
        name: {f"{count:,} trials": 1000 * value for count, value in zip(counts, values, strict=True)}
        for name, values in found.items()
    }
    figure = draw_bars(bars, title="Coordination", unit="ms a trial")
    click.echo(write_report(out, "scale", markdown_table(head, rows), figure))


if __name__ == "__main__":
    main()
