"""The command ``promote``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import PromoteSettings, make_settings


@options_of(PromoteSettings)
def promote(**given: Any) -> None:
    """Retrain a study's best configurations, evaluate the winner once on the test images, and promote or refuse it.

    Finalists are retrained over several seeds. The winner is refitted on training and validation images, evaluated on
    the test images and registered with the alias challenger. It becomes champion if it keeps the limits and there is
    no champion, or it beats the champion on the same test images (exact McNemar test). A refusal exits with code 3.
    The classical model is never a finalist.
    """
    settings = make_settings(PromoteSettings, **given)

    from pipeline.cli.promotion_screen import PromotionScreen
    from pipeline.promotion.promote import promote as run_promotion
    from pipeline.tracking.store import find_store

    screen = PromotionScreen()
    version = run_promotion(settings, screen)
    screen.show_line(f"\nServe it:  mlflow models serve -m models:/{version.name}@champion --env-manager local")
    screen.show_line(f"See it in the MLflow UI:  {find_store().ui_command()}")
