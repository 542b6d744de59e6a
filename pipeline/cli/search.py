"""The command ``search``."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import options as common
from pipeline.cli.options import NUMBER, TEXT, WHOLE, options


@click.command()
@options(
    # What is searched.
    common.dataset,
    click.option("--space", type=TEXT, default="auto", show_default="the data set's own",
                 help="YAML file of the search space."),
    common.data,
    # How far.
    click.option("--trials", type=int, default=20, show_default=True,
                 help="The study's total of finished trials, pruned ones included."),
    click.option("--timeout-minutes", type=NUMBER, default="none", show_default=True,
                 help="Minutes after which this command ends."),
    common.epochs,
    # How it is searched.
    common.metric,
    click.option("--sampler", default="tpe", show_default=True,
                 help="tpe, random, gp, cmaes, qmc or grid."),
    click.option("--folds", type=WHOLE, default="auto", show_default="one split",
                 help="Folds of a cross-validation, 2 to 20: a trial trains once a fold and counts by their mean."),
    click.option("--pruner", default="auto", show_default="successive_halving, or wilcoxon with --folds",
                 help="successive_halving, hyperband, median, percentile, patient or none; with --folds: wilcoxon, "
                      "which stops a trial whose folds are worse than the best trial's, or none."),
    common.seed,
    # Where it runs, what it keeps.
    click.option("--study", type=TEXT, default="auto", show_default="the data set's name",
                 help="Name of the study; a study that exists goes on."),
    click.option("--storage", type=TEXT, default="auto", show_default="a journal beside the tracking store",
                 help="Path of a journal, or a database URL, for the study."),
    common.machine,
    click.option("--keep-models", default="all", show_default=True,
                 help="Trials whose model is kept: all, best (each new best), none."),
)  # fmt: skip
def search(**given: Any) -> None:
    """Run a study, or go on with it.

    The same command again continues where the study stopped; a larger --trials extends it.
    """
    from pathlib import Path

    from pipeline.settings import SearchSettings, make_settings

    settings = make_settings(SearchSettings, **given)

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
