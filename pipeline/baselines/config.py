"""The configuration that ``train`` is given: a file, a hand-made model of the documents, or a run to repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.baselines.job import model_file_job
from pipeline.data.source import TrainingData
from pipeline.errors import SettingError, SpaceError, did_you_mean
from pipeline.knobs.reader import read_space
from pipeline.knobs.table import complete
from pipeline.model.model_file import ModelFile, is_model_file, read_model_file
from pipeline.model.model_file.documents import document_names, is_document, read_document
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.tracking.recorded import TrainingRecord, read_training
from pipeline.tracking.store import find_store
from pipeline.training.configuration import Configuration
from pipeline.workers.job import Job

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SPLIT_SETTINGS = ("dataset", "data_dir", "seed", "validation_share")


@dataclass(frozen=True)
class ModelFileConfig:
    """A hand-made model."""

    model: ModelFile

    def defaults(self) -> Mapping[str, str]:
        """Return the settings that the model states."""
        return {"dataset": self.model.dataset} if self.model.dataset else {}

    def job(self, data: TrainingData, settings: TrainingSettings) -> Job:
        """Return the job of training it."""
        return model_file_job(self.model, data, settings)


@dataclass(frozen=True)
class KnobsConfig:
    """A file that gives each knob one value."""

    name: str
    configuration: Configuration

    def defaults(self) -> Mapping[str, str]:
        """Return no settings: a file of knobs has none."""
        return {}

    def job(self, data: TrainingData, settings: TrainingSettings) -> Job:
        """Return the job of training it."""
        configuration = self.configuration.with_epochs_at_most(settings.epochs).at_size(settings.image_size)
        return Job(self.name, configuration, settings.seed, {names.KIND: "baseline", names.BASELINE: self.name})


@dataclass(frozen=True)
class RunConfig:
    """A run to repeat."""

    training: TrainingRecord

    def defaults(self) -> Mapping[str, str]:
        """Return the settings that decide how the run's images were split."""
        given = self.training.settings
        return {name: given[name] for name in _SPLIT_SETTINGS if given.get(name, "auto") != "auto"}

    def job(self, data: TrainingData, settings: TrainingSettings) -> Job:
        """Return the job of repeating it with its own seed, or with that of the settings where the user changed it."""
        training = self.training
        is_same_seed = str(settings.seed) == training.settings.get("seed")
        return Job(
            name=f"{training.name}-again",
            configuration=training.configuration().with_epochs_at_most(settings.epochs).at_size(settings.image_size),
            seed=training.seed if is_same_seed else settings.seed,
            tags={names.KIND: "repeat", names.REPEAT_OF: training.run_id},
            files=training.files(),
        )


Config = ModelFileConfig | KnobsConfig | RunConfig


def read_config(config: str) -> Config:
    """Read what the setting ``config`` names.

    Raises:
        InputError: there is no such file, model or run, or it cannot be used.
    """
    if is_document(config):
        return ModelFileConfig(read_document(config))
    if _RUN_ID.fullmatch(config):
        return RunConfig(read_training(find_store(), config))
    path = Path(config).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        raise SettingError(
            "config must be a YAML file, a hand-made model of the documents or the id of a training's run, got "
            f"'{config}'; {did_you_mean(config, document_names())}"
        )
    return ModelFileConfig(read_model_file(path)) if is_model_file(path) else _read_knobs(path)


def _read_knobs(path: Path) -> KnobsConfig:
    space = read_space(path)
    if searched := ", ".join(space.searched):
        raise SpaceError(f"{path}: train needs one value a knob, got a range or choices for {searched}; fix them")
    values = {name: space.values(name)[0] for name in space.domains}
    return KnobsConfig(path.stem, Configuration(complete(values)))
