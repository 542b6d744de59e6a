"""The command ``baselines``."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import options as common
from pipeline.cli.options import TEXT, options


@click.command()
@options(
    common.dataset,
    click.option("--names", type=TEXT, default="auto", show_default="all made for the data set, and classical",
                 help="Hand-made models, separated by commas; classical is scikit-learn's."),
    common.data, common.epochs, common.metric, common.seed, common.machine,
)  # fmt: skip
def baselines(**given: Any) -> None:
    """Train the documents' hand-made models for a data set, onto the leaderboard of its studies.

    They keep their layers and settings as written, but choose their epoch on validation images. What has been
    trained before, with the same settings on the same images, is not trained again.
    """
    from pipeline.settings import BaselineSettings, make_settings

    settings = make_settings(BaselineSettings, **given)

    from pipeline.baselines.choice import choose
    from pipeline.baselines.job import classical_job, hand_made_job
    from pipeline.cli.jobs import run_jobs
    from pipeline.data.source import load_training_data

    models, has_classical = choose(settings.names, dataset=settings.dataset_name)
    data = load_training_data(settings)
    jobs = [hand_made_job(model, data, settings) for model in models]
    jobs += [classical_job(settings)] if has_classical else []
    run_jobs(jobs, data, settings, kind="baselines", noun="models")
