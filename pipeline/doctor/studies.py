"""The studies that are to be mended: where they are, and whether a command is at work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline.act import Act
from pipeline.errors import SettingError, did_you_mean
from pipeline.locks import held
from pipeline.masking import mask_passwords
from pipeline.paths import StudyPlaces
from pipeline.settings import DoctorSettings
from pipeline.study.abandoned import living_owner
from pipeline.study.agreement import Agreement
from pipeline.study.journal import damaged_lines, set_aside
from pipeline.study.storage import find_studies, storage_location
from pipeline.tracking import names
from pipeline.tracking.run_states import RunState, read_runs
from pipeline.tracking.store import TrackingStore


class AtWork(Exception):  # noqa: N818 - no error: the study is left out
    """A study that another command may be at work on; the message says which."""


@dataclass
class Found:
    """Studies by their names, the ``problems`` with those that cannot be opened, and journals that were cut off."""

    agreements: dict[str, Agreement] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    torn: dict[str, Path] = field(default_factory=dict)


def find_all(settings: DoctorSettings, store: TrackingStore) -> Found:
    """Return the studies of the storage, or of the journals beside the store; with a name, that one.

    Raises:
        SettingError: there is no such study, or no such storage.
    """
    found = Found()
    for location in _locations(settings, store):
        try:
            _open(location, store, found)
        except SettingError as error:
            if settings.storage or settings.study:
                raise
            found.problems[Path(location).stem] = str(error)
    if settings.storage and not (found.agreements or found.torn):
        shown = mask_passwords(settings.storage)
        raise SettingError(f"storage must be one with studies, got '{shown}', which has none; change --storage")
    recorded = {run.study for run in _study_runs(store) if run.study} if store.exists else set()
    if not settings.storage:
        found.problems |= {name: _elsewhere(name) for name in recorded - found.agreements.keys() - found.torn.keys()}
    return _only(settings.study, found, recorded) if settings.study else found


def kept_off(store: TrackingStore, study: str, *, dry_run: bool) -> AbstractContextManager[None]:
    """Keep other commands off a study.

    Raises:
        AtWork: one is at work on it.
    """
    lock = StudyPlaces(store.studies, study).lock
    is_untouched = dry_run and not lock.exists()  # a dry run makes no file
    return nullcontext() if is_untouched else held(lock, seconds=0, error=AtWork("another command is at work on it"))


def journal_acts(path: Path) -> Iterator[Act]:
    """Set lines of a journal aside that were cut off."""
    if lines := damaged_lines(path):
        numbers = ", ".join(str(line.number) for line in lines)
        n_bytes = sum(len(line.content) for line in lines)
        what = f"the journal {path}, which was cut off in line {numbers}: {n_bytes} bytes are set aside beside it"
        yield Act("mend", what, partial(set_aside, path))


def agreement_acts(agreement: Agreement) -> Iterator[Act]:
    """Bring a study's trials and runs into agreement.

    Raises:
        AtWork: somebody may be at work on it.
    """
    name = agreement.study.study_name
    of_runs = (
        run.tags[names.OWNER]
        for run in _study_runs(agreement.store)
        if run.study == name and run.is_running and run.has_living_owner
    )
    owner = living_owner(agreement.study) or next(of_runs, None)
    if owner is not None:
        host, process, _ = owner.rsplit(" ", 2)
        raise AtWork(f"process {process} on {host} may be at work on it")
    yield from agreement.acts()


def _study_runs(store: TrackingStore) -> list[RunState]:
    return read_runs(store, f"tags.`{names.KIND}` = 'study'")


def _locations(settings: DoctorSettings, store: TrackingStore) -> list[str]:
    if settings.storage:
        return [storage_location(settings.storage, StudyPlaces(store.studies, ""))]
    return [str(path) for path in sorted(store.studies.glob(f"{settings.study or '*'}.journal"))]


def _open(location: str, store: TrackingStore, found: Found) -> None:
    """Note the studies of a storage, or that its journal was cut off."""
    if "://" not in location and damaged_lines(Path(location)):
        found.torn[Path(location).stem] = Path(location)
    else:
        found.agreements |= {name: Agreement(study, store) for name, study in find_studies(location).items()}


def _elsewhere(name: str) -> str:
    return f"its trials are in no journal beside the tracking store; name its storage: --study {name} --storage ..."


def _only(study: str, found: Found, recorded: set[str]) -> Found:
    known = found.agreements.keys() | recorded
    if study not in known and not found.torn:
        hint = did_you_mean(study, known) if known else "there is none yet: search first, or set MLFLOW_TRACKING_URI"
        raise SettingError(f"study must be one that exists, got '{study}'; {hint}")
    return Found(
        {name: one for name, one in found.agreements.items() if name == study},
        {name: text for name, text in found.problems.items() if name == study},
        found.torn,
    )
