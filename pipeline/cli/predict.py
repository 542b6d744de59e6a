"""The command ``predict``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import PredictSettings, make_settings


@options_of(PredictSettings)
def predict(**given: Any) -> None:
    """Classify image files with the champion and write predictions.csv and predictions.png.

    Images are resized to the model's input, without keeping their aspect ratio, and converted to grey where it is
    trained on grey images.
    """
    settings = make_settings(PredictSettings, **given)

    from pipeline.cli.prediction_table import print_prediction
    from pipeline.promotion.prediction import predict as run_prediction

    print_prediction(run_prediction(settings))
