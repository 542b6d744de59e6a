"""Rollback of the champion alias to the version that had it before."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.errors import SettingError
from pipeline.promotion.locks import alias_lock
from pipeline.tracking.openings import user_name
from pipeline.tracking.registry import NO_VERSION, PREVIOUS_CHAMPION, Registry, Version
from pipeline.tracking.store import find_store


def roll_back(name: str) -> tuple[Version, Version]:
    """Make the previous champion champion again, and tag both versions with the rollback.

    Return the version that gave the alias up, and the one that has it again.

    Raises:
        SettingError: there is no champion, or none before it.
        FolderError: the store cannot be written.
    """
    registry = Registry(find_store(), name)
    registry.require_champion()
    registry.store.check_writable()
    with alias_lock(registry.store, name):
        champion = registry.require_champion()
        previous = _previous(registry, champion)
        registry.make_champion(previous)
        note = f"by {user_name()}, {datetime.now(UTC).isoformat(timespec='seconds')}"
        registry.annotate(champion, {"rolled_back_to": previous.number, "rolled_back": note})
        registry.annotate(previous, {"restored_from": champion.number, "restored": note})
    return champion, previous


def _previous(registry: Registry, champion: Version) -> Version:
    number = champion.tags.get(PREVIOUS_CHAMPION, NO_VERSION)
    if number == NO_VERSION:
        raise SettingError(
            f"rollback needs a previous champion, but '{registry.name}' version {champion.number} is the first; "
            "promote another, or set the alias in the MLflow UI"
        )
    previous = registry.version(number)
    if previous is None:
        raise SettingError(
            f"rollback needs the previous champion, but '{registry.name}' version {number} was deleted; set the alias "
            "in the MLflow UI"
        )
    return previous
