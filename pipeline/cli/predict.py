"""The command ``predict``."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import options as common
from pipeline.cli.options import options


@click.command()
@options(
    common.registered_name,
    click.option("--input", required=True, help="A picture, or a folder of them."),
    click.option("--output", default="predictions", show_default=True,
                 help="Folder for predictions.csv and predictions.png."),
)  # fmt: skip
def predict(**given: Any) -> None:
    """Label pictures with the champion: a table, predictions.csv and a labelled sheet, predictions.png.

    Pictures are squashed to the model's size, and made grey where it is for grey ones.
    """
    from pipeline.settings import PredictSettings, make_settings

    settings = make_settings(PredictSettings, **given)

    from pipeline.cli.prediction_table import print_prediction
    from pipeline.promotion.prediction import predict as run_prediction

    print_prediction(run_prediction(settings))
