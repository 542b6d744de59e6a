"""The command ``baselines``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import BaselineSettings, make_settings


@options_of(BaselineSettings)
def baselines(**given: Any) -> None:
    """Train the hand-made models of a data set and add them to the leaderboard of its studies.

    They keep their layers and training settings; the best epoch is chosen on the validation images. A model with a
    finished run of the same settings and images is not trained again.
    """
    settings = make_settings(BaselineSettings, **given)

    from pipeline.baselines.job import choose, classical_job, model_file_job
    from pipeline.cli.jobs import run_jobs
    from pipeline.data.source import load_training_data

    models, classical = choose(settings)
    data = load_training_data(settings)
    jobs = [model_file_job(model, data, settings) for model in models]
    jobs += [classical_job(name, settings) for name in classical]
    run_jobs(jobs, data, settings, kind="baselines", noun="models")
