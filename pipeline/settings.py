"""The settings of the commands, validated once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from pipeline.errors import SettingError
from pipeline.paths import dataset_name, default_data_dir

Sampler = Literal["tpe", "random", "gp", "cmaes", "qmc", "grid"]
Pruner = Literal["successive_halving", "hyperband", "median", "percentile", "patient", "wilcoxon", "none"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
SAMPLERS: tuple[str, ...] = get_args(Sampler)
PRUNERS: tuple[str, ...] = get_args(Pruner)

_LIMITS = ("timeout_minutes", "min_accuracy", "max_parameters", "max_latency_ms")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CommandSettings(BaseModel):
    """What a user asks of a command; the fields are its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_parameters(self) -> dict[str, str]:
        """Return the settings as MLflow parameters; what was left open reads ``auto``, and a missing limit ``none``."""
        return {name: _written(name, value) for name, value in self.model_dump().items()}


class DataSettings(CommandSettings):
    """Which images, and how they are split."""

    dataset: str = "digits"
    data_dir: Path = Field(None, validate_default=True)
    seed: int = Field(0, ge=0, lt=2**31)
    validation_share: float | None = Field(None, gt=0, lt=1)
    folds: int | None = Field(None, ge=2, le=20)

    @field_validator("folds")
    @classmethod
    def _folds_have_no_validation_share(cls, folds: int | None, others: ValidationInfo) -> int | None:
        if folds is not None and others.data.get("validation_share") is not None:
            raise ValueError("must be left out where validation_share is given: each fold validates in turn")
        return folds

    @field_validator("data_dir", mode="before")
    @classmethod
    def _data_dir_is_a_folder(cls, value: object) -> Path:
        return default_data_dir() if value is None else Path(str(value)).expanduser()

    @property
    def dataset_name(self) -> str:
        """Short name of the data set."""
        return dataset_name(self.dataset)


def _written(name: str, value: object) -> str:
    if value is None:
        return "none" if name in _LIMITS else "auto"
    return f"{value:g}" if type(value) is float else str(value)


class TrainingSettings(DataSettings):
    """How networks are trained, by whatever command."""

    image_size: int | None = Field(None, ge=1, le=4096)
    metric: str = "val_accuracy"
    epochs: int | None = Field(None, ge=1, le=10_000)
    workers: int | None = Field(None, ge=1, le=256)
    precision: Precision = "auto"


class BaselineSettings(TrainingSettings):
    """What a user asks of ``baselines``; the fields are the command's options."""

    names: str | None = None


class TrainSettings(TrainingSettings):
    """What a user asks of ``train``; the fields are the command's options. No ``dataset``: the configuration's own."""

    dataset: str = ""
    config: str


class PromoteSettings(CommandSettings):
    """What a user asks of ``promote``; the fields are the command's options.

    Where ``dataset``, ``data_dir`` or ``precision`` is None, the study's own counts, and for ``name`` its data set's.
    """

    dataset: str | None = None
    data_dir: Path | None = None
    study: str = ""
    name: str | None = None
    finalists: int = Field(3, ge=1, le=100)
    seeds: int = Field(3, ge=1, le=100)
    min_accuracy: float | None = Field(None, gt=0, le=1)
    max_parameters: int | None = Field(None, ge=1)
    max_latency_ms: float | None = Field(None, gt=0)
    force: bool = False
    workers: int | None = Field(None, ge=1, le=256)
    precision: Precision | None = None

    @field_validator("study", "name")
    @classmethod
    def _names_are_file_names(cls, value: str | None) -> str | None:
        return None if value is None else check_name(value)

    @model_validator(mode="before")
    @classmethod
    def _study_is_named_after_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return named_after_data(values)


class RollbackSettings(CommandSettings):
    """What a user asks of ``rollback``; the fields are the command's options."""

    name: str


class PredictSettings(RollbackSettings):
    """What a user asks of ``predict``; the fields are the command's options."""

    input: Path
    output: Path = Path("predictions")


class SearchSettings(TrainingSettings):
    """What a user asks of ``search``; the fields are the command's options."""

    space: str | None = None
    trials: int = Field(20, ge=1, le=100_000)
    timeout_minutes: float | None = Field(None, gt=0)
    study: str = ""
    sampler: Sampler = "tpe"
    pruner: Pruner = "successive_halving"
    storage: str | None = None
    keep_models: Literal["all", "best", "none"] = "all"

    @field_validator("study")
    @classmethod
    def _study_is_a_file_name(cls, value: str) -> str:
        return check_name(value)

    @model_validator(mode="before")
    @classmethod
    def _study_is_named_after_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return named_after_data(values)

    @model_validator(mode="before")
    @classmethod
    def _pruner_follows_from_the_folds(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("pruner", "auto") != "auto":
            return values
        return {**values, "pruner": "successive_halving" if values.get("folds") is None else "wilcoxon"}

    @field_validator("pruner")
    @classmethod
    def _pruner_judges_what_there_is(cls, pruner: str, others: ValidationInfo) -> str:
        folds = others.data.get("folds")
        if folds is not None and pruner not in ("wilcoxon", "none"):
            raise ValueError("must be wilcoxon or none with folds: the others judge epochs")
        if folds is None and pruner == "wilcoxon":
            raise ValueError("may be wilcoxon with --folds only: it judges folds")
        return pruner


Settings = TypeVar("Settings", bound=CommandSettings)


def make_settings(kind: type[Settings], **values: object) -> Settings:
    """Validate the options of a command.

    Raises:
        SettingError: the first option that breaks a rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        rule = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise SettingError(f"{name} {rule}, got {first['input']!r}; change --{name.replace('_', '-')}") from error


def check_name(value: str) -> str:
    """Return a name that can be that of a file, too.

    Raises:
        ValueError: it has other signs in it.
    """
    if not _NAME.fullmatch(value):
        raise ValueError("must consist of letters, digits, '.', '_' and '-'")
    return value


def named_after_data(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with a ``study``: where there is none, the data set's name."""
    name = values.get("study") or dataset_name(str(values.get("dataset") or "digits"))
    return {**values, "study": name}
