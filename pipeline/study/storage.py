"""Where a study is kept: an Optuna journal file, or a database by its URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import TrialState

from pipeline.disk import check_folder
from pipeline.errors import SettingError
from pipeline.masking import mask_passwords
from pipeline.paths import StudyPlaces, user_path
from pipeline.study.journal import WholeRecords, check_journal, damaged_lines, set_aside
from pipeline.study.patient_storage import patient

# Seconds, but for the last: milliseconds until an answer that does not come counts as none.
_POSTGRESQL_OPTIONS = {
    "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}  # fmt: skip


def storage_location(setting: str | None, places: StudyPlaces) -> str:
    """Return the storage's location: the setting's URL or path, else the study's own journal."""
    if setting is None:
        return str(places.journal)
    return setting if "://" in setting else str(user_path(setting).absolute())


def check_storage(location: str) -> None:
    """Check that a file is a journal, or that the storage's file can be made; nothing is written.

    Raises:
        InputError: it is another file, or cannot be read or made.
    """
    file = _sqlite_file(location)
    if "://" not in location:
        check_journal(Path(location))
    elif file is not None and not file.exists():
        check_folder(file.parent, fix="change --storage")


def mend_journal(location: str, lock: AbstractContextManager[None]) -> str | None:
    """Set lines of a journal aside that were cut off, while the study's ``lock`` is held; return what was done.

    Raises:
        SettingError: other lines cannot be read, or another command holds the lock.
    """
    if "://" in location or not damaged_lines(Path(location)):
        return None
    with lock:
        return set_aside(Path(location))


def open_storage(location: str, say: Callable[[str], None] | None = None) -> BaseStorage:
    """Open a storage, made where it is missing.

    With ``say``, which gets lines for people, a database that is gone for a while later is waited for.

    Raises:
        SettingError: the location cannot be opened.
    """
    try:
        if "://" in location:
            storage = RDBStorage(location, _engine_options(location))
            return storage if say is None else patient(storage, say)
        Path(location).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(WholeRecords(location))
    except Exception as error:  # every database driver raises its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SettingError(
            "storage must be a path or a database URL that Optuna opens, got "
            f"'{mask_passwords(location)}' ({mask_passwords(reason)}); change --storage"
        ) from error


def find_study(location: str, study: str) -> optuna.Study | None:
    """Return the study where there is one; nothing is made."""
    if not _exists(location):
        return None
    try:
        return optuna.load_study(study_name=study, storage=open_storage(location))
    except KeyError:
        return None


def find_studies(location: str) -> dict[str, optuna.Study]:
    """Return the studies of a storage by their names; none where it does not exist, and nothing is made.

    Raises:
        SettingError: the location cannot be opened.
    """
    if not _exists(location):
        return {}
    storage = open_storage(location)
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in sorted(names)}


def _exists(location: str) -> bool:
    """Tell whether a file is there; of a database on a server it is not known."""
    file = Path(location) if "://" not in location else _sqlite_file(location)
    return file is None or file.exists()


def _engine_options(location: str) -> dict[str, Any]:
    """Return options by which a server that is gone is noticed; other drivers spell them differently."""
    if not re.match(r"postgresql(\+psycopg2?)?://", location):
        return {}
    return {"pool_pre_ping": True, "connect_args": _POSTGRESQL_OPTIONS}


def _sqlite_file(location: str) -> Path | None:
    """Return the file of a SQLite database; None of another database, and of a file that SQLite is to find itself."""
    if not location.startswith("sqlite:///") or location.startswith("sqlite:///file:"):
        return None
    return Path(location.removeprefix("sqlite:///").partition("?")[0])


def requeue(study: optuna.Study, number: int, attributes: Mapping[str, object]) -> None:
    """Have a RUNNING trial wait: the next ``ask`` returns it again, with its number, parameters and reported values."""
    storage = study._storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    for name, value in attributes.items():
        storage.set_trial_user_attr(trial_id, name, value)
    storage.set_trial_state_values(trial_id, TrialState.WAITING)
