"""Give the alias of the champion back to the version that had it before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.errors import SettingError
from pipeline.promotion.locks import alias_lock
from pipeline.tracking.openings import user_name
from pipeline.tracking.registry import NO_VERSION, PREVIOUS_CHAMPION, Registry, Version
from pipeline.tracking.store import find_store


@dataclass(frozen=True)
class Rollback:
    """Which version gave the alias to which."""

    given_up: Version
    restored: Version


def roll_back(name: str) -> Rollback:
    """Make the champion before the present one champion again, and tag both versions with it.

    Raises:
        SettingError: there is no champion, or none before it.
    """
    registry = Registry(find_store(), name)
    registry.require_champion()
    with alias_lock(registry.store, name):
        champion = registry.require_champion()
        previous = _previous(registry, champion)
        registry.make_champion(previous)
        note = f"by {user_name()}, {datetime.now(UTC).isoformat(timespec='seconds')}"
        registry.annotate(champion, {"rolled_back_to": previous.number, "rolled_back": note})
        registry.annotate(previous, {"restored_from": champion.number, "restored": note})
    return Rollback(champion, previous)


def _previous(registry: Registry, champion: Version) -> Version:
    number = champion.tags.get(PREVIOUS_CHAMPION, NO_VERSION)
    if number == NO_VERSION:
        raise SettingError(
            f"rollback needs a champion before the present one, and '{registry.name}' version {champion.number} is the "
            "first; promote another, or set the alias in the MLflow UI"
        )
    previous = registry.version(number)
    if previous is None:
        raise SettingError(
            f"rollback needs the champion before the present one, but '{registry.name}' version {number} was deleted; "
            "set the alias in the MLflow UI"
        )
    return previous
