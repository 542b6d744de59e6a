"""Where a SQLite store says that its artifacts lie, once it was moved or copied: it holds absolute paths.

MLflow has no call that changes them, so they are changed in the database itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from pipeline.act import Act
from pipeline.tracking.store import TrackingStore

_FILE = "file://"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True)
class Place:
    """A place as a column of the database has it: an absolute path, or a ``file://`` URI of one."""

    table: str
    column: str
    text: str

    @property
    def is_of_one_run(self) -> bool:
        """Whether no other store has a place of this name, unless it is a copy."""
        return self.table in ("runs", "logged_models")

    @property
    def path(self) -> Path:
        """The path that it means."""
        return Path(unquote(self.text.removeprefix(_FILE)) if self.text.startswith(_FILE) else self.text)

    def moved(self, old: Path, new: Path) -> str:
        """Return it in the same form, with the folder ``new`` in the place of ``old``."""
        path = new / self.path.relative_to(old)
        return f"{_FILE}{quote(str(path))}" if self.text.startswith(_FILE) else str(path)


@dataclass(frozen=True)
class Move:
    """Places below ``old`` that are to be found below the store's folder ``new``."""

    database: Path
    old: Path
    new: Path
    places: tuple[Place, ...]

    @property
    def backup(self) -> Path:
        """Where the database is copied to first."""
        return self.database.with_name(f"{self.database.name}.backup-{datetime.now():%Y%m%d-%H%M%S-%f}")

    def make(self) -> None:
        """Copy the database, then change all places in one transaction."""
        with closing(sqlite3.connect(self.database)) as database:
            with closing(sqlite3.connect(self.backup)) as backup:
                database.backup(backup)
            with database:
                for place in self.places:
                    change = f"UPDATE {place.table} SET {place.column} = ? WHERE {place.column} = ?"
                    database.execute(change, (place.moved(self.old, self.new), place.text))


def move_acts(store: TrackingStore) -> Iterator[Act]:
    """Point places to those beside the store, after a copy of the database."""
    for move in find_moves(store):
        n_places = len(move.places)
        what = f"{n_places} artifact location{'s' * (n_places > 1)} from {move.old} to {move.new}"
        yield Act("redirect", f"{what}, after a copy of {move.database.name} beside it", move.make)


def find_moves(store: TrackingStore) -> list[Move]:
    """Return the moves that bring places which do not exist, or are those of the store's original, to its own."""
    if store.file is None or store.folder is None:
        return []
    folder = store.folder.resolve()
    places = list(_places(store.file))
    doubtful = [one for one in places if not (one.path.is_relative_to(folder) and one.path.exists())]
    moves = []
    for old in sorted({home for one in doubtful if (home := _old_folder(one.path, folder))}):
        below = [place for place in places if place.path.is_relative_to(old)]
        if chosen := _to_be_moved(below, old, folder):
            moves.append(Move(store.file, old, folder, tuple(chosen)))
    return moves


def _to_be_moved(places: list[Place], old: Path, new: Path) -> list[Place]:
    """Return those places below ``old`` that are to be found below ``new``.

    Where nothing is left below ``old``, or all that is there is below ``new`` as well, the files of a run among it,
    these are all places, those without files too: later files go where an experiment says.
    """
    kept = [place for place in places if place.path.exists()]
    there = {place for place in places if (new / place.path.relative_to(old)).exists()}
    is_copy = there.issuperset(kept) and any(place.is_of_one_run for place in kept)
    return places if is_copy or not kept else [place for place in there if place not in kept]


def _places(database: Path) -> Iterator[Place]:
    """Yield the places on this machine, each once for a column."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for table, column in _COLUMNS:
            for (text,) in connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"):
                if text.startswith(("/", f"{_FILE}/")):
                    yield Place(table, column, text)


def _old_folder(path: Path, folder: Path) -> Path | None:
    """Return what ``folder`` has taken the place of: the rest of ``path``, of two parts at least, exists below it."""
    for length in range(1, len(path.parts) - 1):
        if (folder / Path(*path.parts[length:])).exists():
            return Path(*path.parts[:length])
    return None
