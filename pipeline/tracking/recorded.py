"""Trainings and studies read back from their runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mlflow.artifacts import load_text
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException

from pipeline.errors import SettingError
from pipeline.knobs.table import complete, parse_knobs
from pipeline.model.model_file import parse_model_file
from pipeline.settings import TrainingSettings, make_settings
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore, unusable_store
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.configuration import Configuration
from pipeline.training.ending import State

_STUDY_SETTINGS = ("dataset", "data_dir", "seed", "validation_share", "folds", "image_size", "metric", "precision")


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """One training as its run recorded it.

    ``state`` is None while the training runs or waits to be resumed. ``parameters`` are its knobs as text, empty for a
    classical model. ``metrics`` are the last values by name. Curves, settings and files are read from the store when
    they are asked for.
    """

    store: TrackingStore
    run_id: str
    name: str
    state: State | None
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    model_ids: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Kind of the run: trial, baseline, repeat, finalist or refit."""
        return self.tags[names.KIND]

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return int(self.tags[names.SEED])

    @cached_property
    def model_id(self) -> str | None:
        """Id of the model that was logged last, which is that of a resumed training's final network; None without."""
        if len(self.model_ids) < 2:
            return self.model_ids[0] if self.model_ids else None
        models = [self.store.client.get_logged_model(model_id) for model_id in self.model_ids]
        return str(max(models, key=lambda model: model.creation_timestamp).model_id)

    @property
    def model_uri(self) -> str:
        """URI by which MLflow loads the model."""
        return f"models:/{self.model_id}"

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """Settings of the command that started the training."""
        settings: Mapping[str, str] = self.store.client.get_run(self.tags["mlflow.parentRunId"]).data.params
        return settings

    @cached_property
    def model_file_text(self) -> str:
        """Text of the hand-made model's file; empty for a model made of knobs."""
        return self._read(names.HAND_MADE_FILE)

    @cached_property
    def steps(self) -> tuple[StepSchedule, ...]:
        """The steps that were trained on each split, with their schedule; none where the run does not record them."""
        text = self._read(names.SCHEDULE_FILE)
        return tuple(StepSchedule.from_dict(values) for values in json.loads(text)) if text else ()

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """Return (epoch, value) pairs of a metric that is logged every epoch; a fold's is ``fold_1_val_accuracy``.

        An epoch that was logged again after the training was resumed has its last value. Empty if never logged.
        """
        points = self.store.client.get_metric_history(self.run_id, metric)
        last = {point.step: point.value for point in sorted(points, key=lambda point: point.timestamp)}
        return sorted(last.items())

    def configuration(self) -> Configuration:
        """Return the configuration that was trained.

        Raises:
            ModelFileError: the file of its hand-made model cannot be read any more.
        """
        knobs = complete(parse_knobs(self.parameters))
        if not self.model_file_text:
            return Configuration(knobs)
        return Configuration(knobs, parse_model_file(self.model_file_text, name=self.name, source=self.name))

    def budgets(self) -> tuple[Budget, ...]:
        """Return the budgets that repeat its steps, one a split; none where they were those of its knob ``epochs``."""
        if all(steps.is_whole(int(self.parameters["epochs"])) for steps in self.steps):
            return ()
        return tuple(Budget(steps=steps) for steps in self.steps)

    def files(self) -> dict[str, str]:
        """Return the files, by name, that a run repeating this training should hold as well."""
        return {names.HAND_MADE_FILE: self.model_file_text} if self.model_file_text else {}

    def _read(self, artifact: str) -> str:
        """Return the text of an artifact; empty where there is none of that name."""
        client = self.store.client
        if artifact not in {file.path for file in client.list_artifacts(self.run_id)}:
            return ""
        return str(load_text(f"{client.get_run(self.run_id).info.artifact_uri}/{artifact}"))


@dataclass(frozen=True)
class StudyRecord:
    """The run of a study; ``split`` is the digest of the split that its trials were validated on."""

    run_id: str
    name: str
    split: str
    settings: Mapping[str, str]

    def training_settings(self, **others: object) -> TrainingSettings:
        """Return the settings that its trials were trained with, overridden by those ``others`` that are not None.

        Raises:
            SettingError: one of them breaks a rule.
        """
        own = {name: self.settings.get(name, "auto") for name in _STUDY_SETTINGS}
        own = {name: value for name, value in own.items() if value != "auto"}
        return make_settings(TrainingSettings, **own | {k: v for k, v in others.items() if v is not None})


def read_study(store: TrackingStore, study: str) -> StudyRecord:
    """Read the study of that name; of several, the one that was started last.

    Raises:
        SettingError: there is none; the message lists the studies of the store.
    """
    try:
        runs = store.search_runs(f"tags.`{names.KIND}` = 'study'") if store.exists else []
    except MlflowException as error:
        raise unusable_store(store.uri, error) from error
    found = [run for run in runs if run.data.tags.get(names.STUDY) == study and names.SPLIT in run.data.tags]
    if not found:
        there = ", ".join(sorted({run.data.tags[names.STUDY] for run in runs if names.STUDY in run.data.tags}))
        raise SettingError(
            f"study must be one of the tracking store {store.shown_uri} ({there or 'which has none'}), got '{study}'; "
            "change --study, search first, or set MLFLOW_TRACKING_URI"
        )
    run = max(found, key=lambda run: run.info.start_time)
    return StudyRecord(run.info.run_id, study, run.data.tags[names.SPLIT], run.data.params)


def read_training(store: TrackingStore, run_id: str) -> TrainingRecord:
    """Read the training of the run ``run_id``.

    Raises:
        SettingError: there is no such run, or no network was trained in it.
    """
    run = _find(store, run_id)
    tags = run.data.tags if run else {}
    if run is None or tags.get(names.KIND) not in names.FITTING_KINDS or names.SEED not in tags or not run.data.params:
        raise SettingError(
            f"config must be the id of a run in which a network was trained, got '{run_id}', which "
            f"{'is none' if run else f'is not in the tracking store {store.shown_uri}'}; copy the id of a trial from "
            "the MLflow UI, or set MLFLOW_TRACKING_URI"
        )
    return _record(store, run)


def search_trainings(store: TrackingStore, condition: str) -> list[TrainingRecord]:
    """Return the trainings whose runs meet MLflow's filter ``condition``, in whatever state."""
    runs = store.search_runs(condition)
    return [_record(store, run) for run in runs if run.data.tags.get(names.KIND) in names.FITTING_KINDS]


def finished_trainings(store: TrackingStore, split: str) -> dict[str, TrainingRecord]:
    """Return the trainings that were completed on the split of that digest, by their fingerprints."""
    found = search_trainings(store, f"tags.`{names.SPLIT}` = '{split}' AND attributes.status = 'FINISHED'")
    return {one.tags[names.FINGERPRINT]: one for one in found if names.FINGERPRINT in one.tags}


def _find(store: TrackingStore, run_id: str) -> Run | None:
    if not store.exists:
        return None
    store.outbox.flush()
    try:
        return store.client.get_run(run_id)
    except MlflowException:
        return None


def _record(store: TrackingStore, run: Run) -> TrainingRecord:
    data, info = run.data, run.info
    has_ended = RunStatus.is_terminated(RunStatus.from_string(info.status)) and names.STATE in data.tags
    models = run.outputs.model_outputs if run.outputs else []
    return TrainingRecord(
        store=store,
        run_id=info.run_id,
        name=str(info.run_name),
        state=State(data.tags[names.STATE]) if has_ended else None,
        tags=data.tags,
        parameters=data.params,
        metrics=data.metrics,
        model_ids=tuple(model.model_id for model in models),
    )
