"""Where a trial's seconds beyond its training go, cause by cause: digits, the default space's networks.

Run ``python -m tests.benchmarks.overhead --trials 6`` from the repository root.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click

from .options import CLOCKS, clock_option, out_option
from .report import draw_bars, markdown_table, write_report

TRAINING, TRACING, WORKER, REST = "training", "first epoch's excess (tracing)", "worker start", "everything else"
CAUSES = {
    "opening the run": ("pipeline.tracking.training_run", "TrainingRun.resume"),
    "building, compiling": ("pipeline.training.trainer", "_compiled"),
    "epochs": ("pipeline.training.trainer", "_fit"),
    "best weights": ("pipeline.training.trainer", "_result"),
    "checkpoints": ("pipeline.training.checkpoint_writer", "write_checkpoint"),
    "predictions": ("pipeline.workers.folds", "predict"),
    "network for use elsewhere": ("pipeline.training.bound_configuration", "BoundConfiguration.finish"),
    "figure: curves": ("pipeline.tracking.training_artifacts", "draw_curves"),
    "figure: confusion matrix": ("pipeline.tracking.training_artifacts", "draw_confusion"),
    "figure: mistakes": ("pipeline.tracking.training_artifacts", "draw_mistakes"),
    "figures: rendering, writing": ("pipeline.tracking.training_run", "TrainingRun.log_figure"),
    "tables": ("pipeline.tracking.training_run", "TrainingRun.log_text"),
    "model": ("pipeline.tracking.training_artifacts", "log_network"),
    "metrics to MLflow": ("pipeline.tracking.training_run", "TrainingRun.flush"),
}
"""What is timed, by its name in the table: a module, and a function or a method of it."""


@dataclass
class Stopwatch:
    """Seconds by cause; what is timed within something else counts for itself alone."""

    clock: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inner: list[float] = field(default_factory=lambda: [0.0])

    @contextmanager
    def timed(self, cause: str) -> Iterator[None]:
        """Count the time of the block for ``cause``."""
        start = self.clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            seconds = self.clock() - start
            self.seconds[cause] += seconds - self._inner.pop()
            self._inner[-1] += seconds

    def watch(self, cause: str, module: str, name: str) -> None:
        """Time each call of a function, or of a method, from now on."""
        place: Any = import_module(module)
        *owners, name = name.split(".")
        for owner in owners:
            place = getattr(place, owner)
        original = place.__dict__[name]
        function = original.__func__ if isinstance(original, classmethod) else original

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.timed(cause):
                return function(*arguments, **options)

        setattr(place, name, classmethod(timed) if isinstance(original, classmethod) else timed)


@dataclass
class Listener:
    """The pool's end of a training: it lets everything go on, and takes the time at the end of each epoch."""

    clock: Callable[[], float]
    ends: list[float] = field(default_factory=list)

    def send(self, event: Any) -> None:
        """Hear what happens."""

    def ask(self, report: Any) -> Any:
        """Take the end of an epoch."""
        from pipeline.workers.events import EpochEnd, Verdict

        if isinstance(report, EpochEnd):
            self.ends.append(self.clock())
        return Verdict()

    def start_fold(self, fold: int, epoch: int, save: Callable[[], None]) -> None:
        """Hear that a fold begins."""

    def end_batch(self, share: float) -> None:
        """Hear that a batch is over."""


def measure(
    space: str, epochs: int | None, folder: Path, n_trials: int, clock: Callable[[], float]
) -> list[dict[str, float]]:
    """Return the seconds by cause of each trial, after one that warms the process up; the first has the start's."""
    start = clock()
    listener, stopwatch = Listener(clock), Stopwatch(clock)
    job, resources, open_job = prepare(space, epochs, folder, listener)
    started = clock() - start
    train_job = import_module("pipeline.workers.train_job").train_job
    for cause, (module, name) in CAUSES.items():
        stopwatch.watch(cause, module, name)
    found = []
    for number in range(n_trials + 1):
        stopwatch.seconds.clear()
        listener.ends.clear()
        with stopwatch.timed(REST):
            ended = train_job(open_job(job, number), resources)
        if not ended.ending.is_finish:
            raise click.ClickException(ended.ending.reason)
        found.append(by_cause(dict(stopwatch.seconds), listener.ends))
    return [{WORKER: started, **one} for one in found[1:]]


def prepare(
    space: str, epochs: int | None, folder: Path, listener: Listener
) -> tuple[Any, Any, Callable[[Any, int], Any]]:
    """Do what a worker does as it starts; return the space's first trial, the resources, what opens its run."""
    from pipeline.data.source import load_training_data
    from pipeline.process import count_cpus, prepare_environment
    from pipeline.settings import TrainingSettings

    prepare_environment()
    from dataclasses import replace

    import keras  # noqa: F401 - the worker's start
    import optuna

    from pipeline.knobs.reader import read_space
    from pipeline.tracking.parent_run import ParentRun
    from pipeline.tracking.store import TrackingStore
    from pipeline.training.backbone_cache import BackboneCache
    from pipeline.training.configuration import Configuration
    from pipeline.training.device import configure_device
    from pipeline.training.metric import get_metric
    from pipeline.workers.job import Job
    from pipeline.workers.source import open_run
    from pipeline.workers.train_job import Resources

    configure_device(threads=count_cpus())
    settings = TrainingSettings(dataset="digits", precision="float32")
    found = read_space(Path(space))
    study = optuna.create_study()
    study.enqueue_trial(found.first_params()[0])
    configuration = Configuration(found.suggest(study.ask())).with_epochs_at_most(epochs)
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    parent = ParentRun(store, "0" * 32, store.experiment_of(None, name="digits"))
    resources = Resources(
        store=store, data=load_training_data(settings), metric=get_metric("val_accuracy"), precision="float32",
        image_size=0, backbones=BackboneCache(folder), channel=listener,  # type: ignore[arg-type]
    )  # fmt: skip
    job = Job("trial", configuration, seed=0, tags={})
    return job, resources, lambda job, number: open_run(parent, replace(job, seed=number, name=f"trial-{number}"))


def by_cause(seconds: dict[str, float], ends: list[float]) -> dict[str, float]:
    """Return the seconds with those of the epochs split: training proper, and what the first took beyond the others."""
    in_epochs, epochs = seconds.pop("epochs"), [end - begin for begin, end in pairwise(ends)]
    training = median(epochs) * len(ends) if epochs else in_epochs
    return {TRAINING: training, TRACING: in_epochs - training, **seconds}


def make_table(trials: list[Mapping[str, float]]) -> tuple[str, dict[str, float]]:
    """Return a table of the medians over the trials, and those medians."""
    medians = {cause: median(trial.get(cause, 0.0) for trial in trials) for cause in trials[0]}
    beyond = {cause: value for cause, value in medians.items() if cause not in (TRAINING, WORKER)}
    ordered = dict(sorted(beyond.items(), key=lambda pair: -pair[1]))
    rows = [*ordered.items(), ("**a trial beyond its training**", sum(beyond.values())),
            (TRAINING, medians[TRAINING]), (f"{WORKER} (once a worker)", medians[WORKER])]  # fmt: skip
    return markdown_table(("cause", "seconds"), [(cause, f"{value:.3f}") for cause, value in rows]), ordered


@click.command()
@click.option("--space", default="search_spaces/digits.yaml", show_default=True, help="Its first trial is trained.")
@click.option("--epochs", type=int, help="Epochs at most.")
@click.option("--trials", default=5, show_default=True, help="Trials that are measured, after one that is not.")
@clock_option()
@out_option("overhead")
def main(space: str, epochs: int | None, trials: int, clock: str, out: Path) -> None:
    """Measure where a trial's seconds beyond its training go."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with TemporaryDirectory() as folder:
        found = measure(space, epochs, Path(folder), trials, CLOCKS[clock])
    table, medians = make_table(found)
    bars = draw_bars({"beyond the training": medians}, title="Overhead of a trial", unit="seconds")
    click.echo(write_report(out, "overhead", table, bars))


if __name__ == "__main__":
    main()
