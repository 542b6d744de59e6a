"""Models that no run refers to: left by trainings that were killed while they logged them, or whose run is gone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow.entities import LoggedModel, Run, ViewType

from pipeline.act import Act
from pipeline.tracking import names
from pipeline.tracking.checkpoints import size_of
from pipeline.tracking.paging import all_pages
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.stored_models import MODEL_ID, registered_ids

_PAGE = 1000
_RUN_ID = re.compile(r"^run_id: *'?([0-9a-f]{32})", re.MULTILINE)
_DATABASES = ("*.db", "*.sqlite", "*.sqlite3")


@dataclass(frozen=True)
class OrphanedModel:
    """A model without a run; ``folder`` holds its files where they lie beside the store."""

    model_id: str
    folder: Path | None
    is_recorded: bool

    @property
    def n_bytes(self) -> int:
        """Size of its files."""
        return size_of(path for path in self.folder.rglob("*") if path.is_file()) if self.folder else 0

    def remove(self, store: TrackingStore) -> None:
        """Delete it as the UI does, and remove its files."""
        if self.is_recorded:
            store.client.delete_logged_model(self.model_id)
        if self.folder is not None:
            shutil.rmtree(self.folder)


def model_acts(store: TrackingStore) -> Iterator[Act]:
    """Remove models that no run refers to."""
    for model in orphaned_models(store):
        what = f"model {model.model_id}, which no run refers to"
        yield Act("remove", what, partial(model.remove, store), model.n_bytes)


def remove_unfinished(store: TrackingStore, run_id: str) -> None:
    """Remove the models that a training had begun to log when its worker was killed: it goes on, and logs another."""
    run, folders = store.client.get_run(run_id), _folders(store)
    begun = store.client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    for model_id in {str(model.model_id) for model in begun} - _outputs(run):
        OrphanedModel(model_id, folders.get(model_id), is_recorded=True).remove(store)


def orphaned_models(store: TrackingStore) -> list[OrphanedModel]:
    """Return the models of trainings that no run refers to and that are no version of a registered model.

    Models of a run that is RUNNING may be in the making, and those that other code logs are none of our business.
    Files that the store knows no model of count only where no other database beside the store may know it.
    """
    folders = _folders(store)  # before the store is read: what is logged meanwhile is known to it
    models = {str(model.model_id): model for model in _models(store)}
    runs = {str(run.info.run_id): run for run in _runs(store)}
    kept = registered_ids(store) | {model_id for run in runs.values() for model_id in _outputs(run)}
    found = [
        OrphanedModel(model_id, folders.get(model_id), is_recorded=True)
        for model_id, model in models.items()
        if model_id not in kept and _is_left_by_us(model, runs)
    ]
    is_shared = len({path for pattern in _DATABASES for path in _beside(store).glob(pattern)}) > 1
    return found + [
        OrphanedModel(model_id, folder, is_recorded=False)
        for model_id, folder in folders.items()
        if model_id not in kept | models.keys() and _is_leftover(folder, runs, is_shared=is_shared)
    ]


def _beside(store: TrackingStore) -> Path:
    return store.folder or store.studies


def _folders(store: TrackingStore) -> dict[str, Path]:
    """Return the folders of models beside the store, by the model's id."""
    found = _beside(store).glob("mlruns/*/models/m-*") if store.folder else iter(())
    return {path.name: path for path in sorted(found) if MODEL_ID.fullmatch(path.name)}


def _experiments(store: TrackingStore) -> list[str]:
    return [str(one.experiment_id) for one in store.client.search_experiments(ViewType.ALL)]


def _models(store: TrackingStore) -> Iterator[LoggedModel]:
    experiments = _experiments(store)
    return all_pages(lambda token: store.client.search_logged_models(experiments, max_results=50, page_token=token))


def _runs(store: TrackingStore) -> Iterator[Run]:
    """Return all runs, those in the trash too: they can be restored."""
    experiments = _experiments(store)
    return all_pages(lambda token: store.client.search_runs(
        experiments, run_view_type=ViewType.ALL, max_results=_PAGE, page_token=token))  # fmt: skip


def _outputs(run: Run) -> set[str]:
    return {str(model.model_id) for model in run.outputs.model_outputs} if run.outputs else set()


def _is_left_by_us(model: LoggedModel, runs: Mapping[str, Run]) -> bool:
    """Tell whether a model comes from a training that has ended or is gone."""
    if not model.source_run_id or model.name != "model":
        return False
    run = runs.get(str(model.source_run_id))
    return run is None or (run.data.tags.get(names.KIND) in names.FITTING_KINDS and run.info.status != "RUNNING")


def _is_leftover(folder: Path, runs: Mapping[str, Run], *, is_shared: bool) -> bool:
    """Tell whether files that the store knows no model of were left by a training."""
    description = folder / "artifacts" / "MLmodel"
    if not description.is_file():
        return not is_shared
    named = _RUN_ID.search(description.read_text(errors="replace"))
    if named is None:
        return False
    run = runs.get(named[1])
    return not is_shared if run is None else run.data.tags.get(names.KIND) in names.FITTING_KINDS
