"""The command ``search``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_UNSET = ("", "auto", "none")


class Optional(click.ParamType[Any]):
    """A value of another type, or ``auto`` or ``none`` for None (MLproject files cannot leave a parameter out)."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self.name = inner.name
        self._inner = inner

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None for an open value, else what the other type makes of it."""
        return None if value in _UNSET else self._inner.convert(value, param, ctx)


_TEXT, _WHOLE, _NUMBER = Optional(click.STRING), Optional(click.INT), Optional(click.FLOAT)

_OPTIONS = (
    # What is searched.
    click.option("--dataset", default="digits", show_default=True,
                 help="digits, mnist, fashion_mnist, cifar10, cifar100, or the path of an .npz."),
    click.option("--space", type=_TEXT, default="auto", show_default="the data set's own",
                 help="YAML file of the search space."),
    click.option("--data-dir", type=_TEXT, default="auto", show_default="PIPELINE_DATA_DIR, or Keras's cache",
                 help="Folder that may hold NAME.npz."),
    click.option("--image-size", type=_WHOLE, default="auto", show_default="as the space says",
                 help="Side in pixels that images are resized to."),
    click.option("--validation-share", type=_NUMBER, default="auto", show_default="a tenth to a fifth",
                 help="Share of the training images that validates."),
    # How far.
    click.option("--trials", type=int, default=20, show_default=True,
                 help="The study's total of finished trials, pruned ones included."),
    click.option("--timeout-minutes", type=_NUMBER, default="none", show_default=True,
                 help="Minutes after which this command ends."),
    click.option("--epochs", type=_WHOLE, default="auto", show_default="as the space says",
                 help="The most epochs that a trial may train."),
    # How it is searched.
    click.option("--metric", default="val_accuracy", show_default=True,
                 help="What to optimize: val_accuracy or val_loss."),
    click.option("--sampler", default="tpe", show_default=True,
                 help="tpe, random, gp, cmaes, qmc or grid."),
    click.option("--pruner", default="successive_halving", show_default=True,
                 help="successive_halving, hyperband, median, percentile, patient or none."),
    click.option("--seed", type=int, default=0, show_default=True,
                 help="Seed of split, sampler and training."),
    # Where it runs, what it keeps.
    click.option("--study", type=_TEXT, default="auto", show_default="the data set's name",
                 help="Name of the study; a study that exists goes on."),
    click.option("--storage", type=_TEXT, default="auto", show_default="a journal beside the tracking store",
                 help="Path of a journal, or a database URL, for the study."),
    click.option("--workers", type=_WHOLE, default="auto", show_default="one, or one a GPU",
                 help="Processes that train at once."),
    click.option("--precision", default="auto", show_default=True,
                 help="float32, bfloat16, float16, or auto: what the hardware computes fastest."),
    click.option("--keep-models", default="all", show_default=True,
                 help="Trials whose model is kept: all, best (each new best), none."),
)  # fmt: skip


def _search_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_search_options
def search(**options: Any) -> None:
    """Run a study, or go on with it.

    The same command again continues where the study stopped; a larger --trials extends it.
    """
    from pathlib import Path

    from pipeline.settings import SearchSettings, make_settings

    settings = make_settings(SearchSettings, **options)

    # These load Optuna and MLflow: not before the options are known to be good.
    from pipeline.cli.display import Tally, make_display
    from pipeline.cli.summary import print_summary
    from pipeline.study.search import search as run_search
    from pipeline.study.trials import Result
    from pipeline.training.metric import get_metric

    tally = Tally(settings.trials, "trials", get_metric(settings.metric), settings.timeout_minutes)
    display = make_display(tally)

    def start(finished: list[Result], log: Path) -> None:
        for result in finished:
            tally.count(*result)
        display.start(f"study '{settings.study}'", log)

    with display:
        outcome = run_search(settings, display.show, start)
    print_summary(outcome)
