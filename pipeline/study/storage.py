"""Where a study is kept: an Optuna journal file, or a database by its URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pipeline.errors import SettingError
from pipeline.paths import StudyPlaces, user_path
from pipeline.settings import mask_passwords


def storage_location(setting: str | None, places: StudyPlaces) -> str:
    """Return the storage's location: the setting's URL or path, else the study's own journal."""
    if setting is None:
        return str(places.journal)
    return setting if "://" in setting else str(user_path(setting).absolute())


def open_storage(location: str) -> BaseStorage:
    """Open a storage, made where it is missing.

    Raises:
        SettingError: the location cannot be opened.
    """
    try:
        if "://" in location:
            return RDBStorage(location)
        Path(location).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(location))
    except Exception as error:  # every database driver raises its own
        reason = str(error).strip().splitlines()[0]
        raise SettingError(
            "storage must be a path or a database URL that Optuna opens, got "
            f"'{mask_passwords(location)}' ({mask_passwords(reason)}); change --storage"
        ) from error


def find_study(location: str, study: str) -> optuna.Study | None:
    """Return the study where there is one; nothing is made."""
    if "://" not in location and not Path(location).exists():
        return None
    try:
        return optuna.load_study(study_name=study, storage=open_storage(location))
    except KeyError:
        return None


def requeue(study: optuna.Study, number: int, attributes: Mapping[str, object]) -> None:
    """Have a RUNNING trial wait: the next ``ask`` returns it again, with its number, parameters and reported values."""
    storage = study._storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    for name, value in attributes.items():
        storage.set_trial_user_attr(trial_id, name, value)
    storage.set_trial_state_values(trial_id, TrialState.WAITING)
