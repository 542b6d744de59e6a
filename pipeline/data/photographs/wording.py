"""Names of files and folders for messages of one line."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 5


def printable(name: object) -> str:
    """Return a name with ``?`` in place of unprintable characters, such as line breaks."""
    return "".join(character if character.isprintable() else "?" for character in str(name))


def some_of(names: Iterable[object]) -> str:
    """Return the first five names, and how many more there are."""
    texts = [printable(name) for name in names]
    if len(texts) <= _SHOWN + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:_SHOWN])} and {len(texts) - _SHOWN:,} more"
