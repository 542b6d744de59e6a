"""Trainings and studies as their runs recorded them: all that it takes to do it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.errors import SettingError
from pipeline.knobs.table import complete, parse_knobs
from pipeline.model.hand_made import parse_hand_made
from pipeline.settings import TrainingSettings, make_settings
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore, unusable_store
from pipeline.training.configuration import Configuration

_STUDY_SETTINGS = ("dataset", "data_dir", "seed", "validation_share", "folds", "image_size", "metric", "precision")


@dataclass(frozen=True)
class RecordedTraining:
    """A run in which a network was trained.

    ``parameters`` are its knobs as text, ``settings`` those of the command, ``hand_made`` the file of its hand-made
    model, empty where it has none.
    """

    run_id: str
    name: str
    seed: int
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    hand_made: str

    def configuration(self) -> Configuration:
        """Return what was trained.

        Raises:
            ModelFileError: its hand-made model cannot be read any more.
        """
        knobs = complete(parse_knobs(self.parameters))
        if not self.hand_made:
            return Configuration(knobs)
        return Configuration(knobs, parse_hand_made(self.hand_made, name=self.name, source=self.name))

    def files(self) -> dict[str, str]:
        """Return the texts that a run which repeats it should hold, too, by name."""
        return {names.HAND_MADE_FILE: self.hand_made} if self.hand_made else {}


@dataclass(frozen=True)
class RecordedStudy:
    """The run of a study; ``split`` is the digest of the images that judged its trials."""

    run_id: str
    experiment_id: str
    name: str
    split: str
    settings: Mapping[str, str]

    def training_settings(self, **others: object) -> TrainingSettings:
        """Return the settings that its trials were trained with; ``others`` take their place where they are not None.

        Raises:
            SettingError: one of them breaks a rule.
        """
        own = {name: self.settings[name] for name in _STUDY_SETTINGS if name in self.settings}
        given = {name: value for name, value in others.items() if value is not None}
        return make_settings(TrainingSettings, **{**{k: v for k, v in own.items() if v != "auto"}, **given})


def read_study(store: TrackingStore, study: str) -> RecordedStudy:
    """Read the study of that name; of several, the one that was begun last.

    Raises:
        SettingError: there is none; the message names those there are.
    """
    try:
        runs = store.search_runs(f"tags.`{names.KIND}` = 'study'") if store.exists else []
    except MlflowException as error:
        raise unusable_store(store.uri, error) from error
    found = [run for run in runs if run.data.tags.get(names.STUDY) == study and names.SPLIT in run.data.tags]
    if not found:
        there = ", ".join(sorted({run.data.tags[names.STUDY] for run in runs if names.STUDY in run.data.tags}))
        raise SettingError(
            f"study must be one in the tracking store {store.uri}, got '{study}', and there "
            f"{f'are: {there}' if there else 'is none'}; change --study, search first, or set MLFLOW_TRACKING_URI"
        )
    run = max(found, key=lambda run: run.info.start_time)
    tags, info = run.data.tags, run.info
    return RecordedStudy(info.run_id, info.experiment_id, study, tags[names.SPLIT], run.data.params)


def read_training(store: TrackingStore, run_id: str) -> RecordedTraining:
    """Read the training that was recorded in the run ``run_id``.

    Raises:
        SettingError: there is no such run, or no network was trained in it.
    """
    run = _find(store, run_id)
    tags = run.data.tags if run else {}
    if run is None or tags.get(names.KIND) not in names.FITTING_KINDS or names.SEED not in tags or not run.data.params:
        raise SettingError(
            f"config must be the id of a run in which a network was trained, got '{run_id}', which "
            f"{'is none' if run else f'is not in the tracking store {store.uri}'}; copy the id of a trial from the "
            "MLflow UI, or set MLFLOW_TRACKING_URI"
        )
    client = store.client
    return RecordedTraining(
        run_id=run_id,
        name=str(run.info.run_name),
        seed=int(tags[names.SEED]),
        parameters=run.data.params,
        settings=client.get_run(tags["mlflow.parentRunId"]).data.params,
        hand_made=_hand_made(client, run),
    )


def _find(store: TrackingStore, run_id: str) -> Run | None:
    if not store.exists:
        return None
    try:
        return store.client.get_run(run_id)
    except MlflowException:
        return None


def _hand_made(client: MlflowClient, run: Run) -> str:
    listed = {file.path for file in client.list_artifacts(run.info.run_id)}
    if names.HAND_MADE_FILE not in listed:
        return ""
    return str(load_text(f"{run.info.artifact_uri}/{names.HAND_MADE_FILE}"))
