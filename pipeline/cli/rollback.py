"""The command ``rollback``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import RollbackSettings, make_settings


@options_of(RollbackSettings)
def rollback(**given: Any) -> None:
    """Return the champion alias to the previous champion; repeat to go further back."""
    settings = make_settings(RollbackSettings, **given)

    from pipeline.promotion.rollback import roll_back

    given_up, restored = roll_back(settings.name)
    print(f"{settings.name} version {restored.number} is champion again, in place of {given_up.number}")
