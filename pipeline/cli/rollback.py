"""The command ``rollback``."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import options as common
from pipeline.cli.options import options


@click.command()
@options(common.registered_name)
def rollback(**given: Any) -> None:
    """Give the champion alias back to the version that had it before; again, to the one before that."""
    from pipeline.settings import RollbackSettings, make_settings

    settings = make_settings(RollbackSettings, **given)

    from pipeline.promotion.rollback import roll_back

    done = roll_back(settings.name)
    print(f"{settings.name} version {done.restored.number} is champion again, in place of {done.given_up.number}")
