"""The configuration that ``train`` is given: a file, a hand-made model of the documents, or a run to repeat."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.baselines.job import model_file_job
from pipeline.data.source import TrainingData
from pipeline.errors import SettingError, SpaceError, did_you_mean
from pipeline.knobs.reader import read_space
from pipeline.knobs.table import complete
from pipeline.model.model_file import ModelFile, is_model_file, read_model_file
from pipeline.model.model_file.documents import document_names, is_document, read_document
from pipeline.paths import user_path
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.tracking.recorded import TrainingRecord, read_training
from pipeline.tracking.store import find_store
from pipeline.training.configuration import Configuration
from pipeline.workers.job import Job

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SPLIT_SETTINGS = ("dataset", "data_dir", "seed", "validation_share", "split")


@dataclass(frozen=True)
class Config:
    """What ``train`` trains: the settings that it states itself, and the job that it makes of data and settings."""

    settings: Mapping[str, str]
    make_job: Callable[[TrainingData, TrainingSettings], Job]


def read_config(config: str) -> Config:
    """Read what the setting ``config`` names.

    Raises:
        InputError: there is no such file, model or run, or it cannot be used.
    """
    if is_document(config):
        return _model_file_config(read_document(config))
    if _RUN_ID.fullmatch(config):
        return _run_config(read_training(find_store(), config))
    path = user_path(config)
    if path.suffix not in (".yaml", ".yml"):
        raise SettingError(
            "config must be a YAML file, a hand-made model of the documents or the id of a training's run, got "
            f"'{config}'; {did_you_mean(config, document_names())}"
        )
    return _model_file_config(read_model_file(path)) if is_model_file(path) else _knobs_config(path)


def _model_file_config(model: ModelFile) -> Config:
    return Config({"dataset": model.dataset} if model.dataset else {}, partial(model_file_job, model))


def _knobs_config(path: Path) -> Config:
    """Read a file that gives each knob one value."""
    space = read_space(path)
    if searched := ", ".join(space.searched):
        raise SpaceError(f"{path}: train needs one value a knob, got a range or choices for {searched}; fix them")
    values = {name: space.values(name)[0] for name in space.domains}
    tags = {names.KIND: "baseline", names.BASELINE: path.stem}

    def make_job(data: TrainingData, settings: TrainingSettings) -> Job:
        return Job(path.stem, _adapted(Configuration(complete(values)), settings), settings.seed, tags)

    return Config({}, make_job)


def _run_config(training: TrainingRecord) -> Config:
    """Return how a run is repeated: with its own seed, or with that of the settings where the user changed it.

    It has the same steps again, where their number was not simply that of its knob ``epochs``.
    """
    own = training.settings

    def make_job(data: TrainingData, settings: TrainingSettings) -> Job:
        return Job(
            name=f"{training.name}-again",
            configuration=_adapted(training.configuration(), settings),
            seed=training.seed if str(settings.seed) == own.get("seed") else settings.seed,
            tags={names.KIND: "repeat", names.REPEAT_OF: training.run_id},
            files=training.files(),
            fold_budgets=training.budgets(),
        )

    return Config({name: own[name] for name in _SPLIT_SETTINGS if own.get(name, "auto") != "auto"}, make_job)


def _adapted(configuration: Configuration, settings: TrainingSettings) -> Configuration:
    return configuration.with_epochs_at_most(settings.epochs).at_size(settings.image_size)
