"""The settings of data sets and trainings, and of the commands that train outside a study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from pipeline.paths import dataset_name, default_data_dir
from pipeline.settings.base import CommandSettings, check_data_dir
from pipeline.settings.fields import option

THIS_MACHINE = "none"  # in the place of a cluster
_CLUSTER_ADDRESS = re.compile(r"(ray://)?[^\s:/@]+:[0-9]{1,5}")
Precision = Literal["float32", "bfloat16", "float16"]

# Options of all commands that train.
WORKERS = option(
    None, group="Execution", shown="1 a machine, or workers_per_gpu on each GPU", ge=1, le=256,
    meaning="Processes that train in parallel.",
)  # fmt: skip
WORKERS_PER_GPU = option(
    1, group="Execution", ge=1, le=64, meaning="Processes on each GPU, unless workers says how many there are in all."
)


class DataSettings(CommandSettings):
    """The data set, and how it is split."""

    dataset: str = option(
        "digits", group="Data",
        meaning="Data set: digits, mnist, fashion_mnist, cifar10, cifar100, an .npz file, or a folder of images.",
    )  # fmt: skip
    data_dir: Path = option(
        None, group="Data", shown="PIPELINE_DATA_DIR, or Keras's cache",
        meaning="Existing folder; its NAME.npz is used instead of a download.",
    )  # fmt: skip
    seed: int = option(0, group="Training", ge=0, lt=2**31, meaning="Random seed of the data split and of training.")
    validation_share: float | None = option(
        None, group="Data", shown="10 %, up to 20 % for small sets", gt=0, lt=1,
        meaning="Fraction of the training images held out for validation; a validation folder takes precedence.",
    )  # fmt: skip
    folds: int | None = option(
        None, group="Data", shown="a single split", ge=2, le=20,
        meaning="Folds of cross-validation, 2 to 20: a trial trains once per fold and is scored by the mean.",
    )  # fmt: skip

    split: Literal["pipeline", "documents"] = option(
        "pipeline", group="Data",
        meaning="documents: validate on what the documents held out of such data, the last 20 % of arrays, or "
        "photographs 7:3 with seed 123, of which none is sealed then; a leaderboard of its own.",
    )  # fmt: skip

    @field_validator("split")
    @classmethod
    def _documents_have_their_own_share(cls, split: str, others: ValidationInfo) -> str:
        if split == "documents" and others.data.get("validation_share") is not None:
            raise ValueError("must be pipeline where validation_share is given: the documents have their own")
        return split

    @field_validator("folds")
    @classmethod
    def _folds_have_no_validation_share(cls, folds: int | None, others: ValidationInfo) -> int | None:
        if folds is not None and others.data.get("validation_share") is not None:
            raise ValueError("must be left out where validation_share is given: each fold validates in turn")
        return folds

    @model_validator(mode="before")
    @classmethod
    def _data_dir_has_a_default(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values if values.get("data_dir") is not None else {**values, "data_dir": default_data_dir()}

    @field_validator("data_dir")
    @classmethod
    def _data_dir_is_a_folder(cls, value: Path) -> Path:
        return check_data_dir(value)

    @property
    def dataset_name(self) -> str:
        """Short name of the data set."""
        return dataset_name(self.dataset)


class TrainingSettings(DataSettings):
    """How networks are trained, by whatever command."""

    image_size: int | None = option(
        None, group="Data", shown="as configured", ge=1, le=4096,
        meaning="Side in pixels of the squares that images are resized to.",
    )  # fmt: skip
    metric: Literal["val_accuracy", "val_loss"] = option(
        "val_accuracy", group="Training", meaning="Metric to optimize; the epoch where it is best counts."
    )
    epochs: int | None = option(
        None, group="Training", shown="as configured", ge=1, le=10_000, meaning="Maximum number of epochs per training."
    )
    workers: int | None = WORKERS
    workers_per_gpu: int = WORKERS_PER_GPU
    cluster: str = option(
        THIS_MACHINE, group="Execution",
        meaning="Ray cluster whose machines have the workers: auto (the one that this machine belongs to), its "
        "HOST:PORT, or ray://HOST:PORT; none: this machine.",
    )  # fmt: skip
    precision: Literal["auto", Precision] = option(
        "auto", group="Execution", meaning="Floating-point type of the computation; auto: the fastest on this hardware."
    )

    @field_validator("cluster")
    @classmethod
    def _cluster_is_an_address(cls, cluster: str) -> str:
        if cluster not in (THIS_MACHINE, "auto") and not _CLUSTER_ADDRESS.fullmatch(cluster):
            raise ValueError("must be auto, HOST:PORT, ray://HOST:PORT or none")
        return cluster


class JobSettings(TrainingSettings):
    """How networks are trained outside a study: each once, on a single split."""

    folds: None = option(None, group="Data", meaning="", exclude=True)
    keep_improvements: bool = option(
        False, group="Training",
        meaning="Keep the network of each epoch that is better than all before it, as checkpoints/epoch-NN.keras.",
    )  # fmt: skip


class BaselineSettings(JobSettings):
    """The options of ``baselines``."""

    names: str | None = option(
        None, group="Model", shown="all for the data set, and classical",
        meaning="Comma-separated names of hand-made models; classical and linear_probe are fitted by scikit-learn.",
    )  # fmt: skip


class TrainSettings(JobSettings):
    """The options of ``train``; where ``dataset`` or ``seed`` is left out, the configuration may have its own."""

    config: str = option(
        group="Model",
        meaning="Configuration: a YAML file (hand-made model, or a value per knob), the name of a hand-made model, or "
        "the id of an MLflow run to repeat.",
    )
    dataset: str = option(
        "", group="Data", shown="the configuration's",
        meaning="Data set: digits, mnist, fashion_mnist, cifar10, cifar100, an .npz file, or a folder of images.",
    )  # fmt: skip
    seed: int = option(
        0, group="Training", shown="0, or that of the repeated run", ge=0, lt=2**31,
        meaning="Random seed of the data split and of training.",
    )  # fmt: skip
