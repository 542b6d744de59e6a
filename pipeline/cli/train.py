"""The command ``train``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import TrainSettings, make_settings


@options_of(TrainSettings)
def train(**given: Any) -> None:
    """Train one configuration and add it to the leaderboard of its data set."""
    from pipeline.errors import SettingError

    chosen = {name: value for name, value in given.items() if value is not None}
    make_settings(TrainSettings, **chosen)  # refuse what is wrong anyhow, first

    from pipeline.baselines.config import read_config
    from pipeline.cli.jobs import run_jobs
    from pipeline.data.source import load_training_data

    config = read_config(given["config"])
    settings = make_settings(TrainSettings, **{**config.settings, **chosen})
    if not settings.dataset:
        raise SettingError("train needs a data set, and the configuration names none; give one with --dataset")
    data = load_training_data(settings)
    run_jobs([config.make_job(data, settings)], data, settings, kind="train", noun="trainings")
