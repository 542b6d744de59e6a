"""The command ``promote``."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import options as common
from pipeline.cli.options import NUMBER, TEXT, WHOLE, options


@click.command()
@options(
    # What is promoted.
    click.option("--dataset", type=TEXT, default="auto", show_default="that of the study; digits",
                 help="Names the study, and says where its data is now."),
    click.option("--data-dir", type=TEXT, default="auto", show_default="that of the study",
                 help="Folder that may hold NAME.npz."),
    click.option("--study", type=TEXT, default="auto", show_default="the data set's name",
                 help="Name of the study whose best are the finalists."),
    click.option("--name", type=TEXT, default="auto", show_default="the data set's name",
                 help="Name of the registered model."),
    # How it is chosen.
    click.option("--finalists", type=int, default=3, show_default=True,
                 help="Best configurations of the study that are trained anew."),
    click.option("--seeds", type=int, default=3, show_default=True, help="Trainings of each finalist."),
    # What the gate asks for.
    click.option("--min-accuracy", type=NUMBER, default="none", show_default=True,
                 help="Least test accuracy, of 1."),
    click.option("--max-parameters", type=WHOLE, default="none", show_default=True,
                 help="Most parameters."),
    click.option("--max-latency-ms", type=NUMBER, default="none", show_default=True,
                 help="Most milliseconds for a single image, as measured here."),
    click.option("--force", type=bool, is_flag=False, flag_value=True, default=False, show_default=True,
                 help="Promote whatever comparison and limits say; the version's tags say so."),
    # Where it runs.
    common.workers,
    click.option("--precision", type=TEXT, default="auto", show_default="that of the study",
                 help="float32, bfloat16 or float16."),
)  # fmt: skip
def promote(**given: Any) -> None:
    """Train a study's best anew over several seeds, open the test images once, and pass or refuse the winner.

    The winner is fitted on training and validation images, evaluated on the test images and registered with the
    alias challenger. It becomes champion if there is none, or if it beats the champion on the same test images
    (exact McNemar test), and keeps the limits. Exit code 3: it was refused. The classical model is no finalist.
    """
    from pipeline.settings import PromoteSettings, make_settings

    settings = make_settings(PromoteSettings, **given)

    from pipeline.cli.promotion_screen import PromotionScreen
    from pipeline.promotion.promote import promote as run_promotion
    from pipeline.tracking.store import find_store

    screen = PromotionScreen()
    version = run_promotion(settings, screen)
    screen.show_line(f"\nServe it:  mlflow models serve -m models:/{version.name}@champion --env-manager local")
    screen.show_line(f"See it in the MLflow UI:  {find_store().ui_command()}")
