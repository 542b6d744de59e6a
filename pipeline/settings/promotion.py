"""The settings of ``promote``, ``rollback`` and ``predict``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import field_validator, model_validator

from pipeline.paths import user_path, where
from pipeline.settings.base import CommandSettings, check_data_dir, check_model_name, check_name, named_after_data
from pipeline.settings.fields import option
from pipeline.settings.training import WORKERS, WORKERS_PER_GPU, Precision


class PromoteSettings(CommandSettings):
    """The options of ``promote``.

    Where ``dataset``, ``data_dir`` or ``precision`` is None, the study's own counts, and for ``name`` its data set's.
    """

    dataset: str | None = option(
        None, group="Data", shown="the study's", meaning="Data set of the study, by its present path if it was moved."
    )
    data_dir: Path | None = option(
        None, group="Data", shown="the study's", meaning="Existing folder; its NAME.npz is used instead of a download."
    )
    study: str = option(
        "", group="Finalists", shown="the data set's name", meaning="Name of the study whose best become finalists."
    )
    name: str | None = option(None, group="Model", shown="the data set's name", meaning="Name of the registered model.")
    finalists: int = option(
        3, group="Finalists", ge=1, le=100, meaning="Number of best configurations that are retrained."
    )
    seeds: int = option(3, group="Finalists", ge=1, le=100, meaning="Trainings per finalist, each with its own seed.")
    min_accuracy: float | None = option(
        None, group="Gate", shown="none", gt=0, le=1, meaning="Minimum test accuracy, as a fraction."
    )
    max_parameters: int | None = option(
        None,
        group="Gate",
        shown="none",
        ge=1,
        le=10**12,
        meaning="Maximum number of model parameters; larger ones are no finalists.",
    )
    max_latency_ms: float | None = option(
        None, group="Gate", shown="none", gt=0, le=10**6,
        meaning="Maximum latency in milliseconds of predicting one image on this machine; of those that the search "
        "measured, slower ones are no finalists.",
    )  # fmt: skip
    force: bool = option(
        False, group="Gate", meaning="Promote even if comparison or limits fail; recorded in the version's tags."
    )
    workers: int | None = WORKERS
    workers_per_gpu: int = WORKERS_PER_GPU
    precision: Precision | None = option(
        None, group="Execution", shown="the study's", meaning="Floating-point type of the computation."
    )

    @field_validator("study", "name")
    @classmethod
    def _names_are_file_names(cls, value: str | None) -> str | None:
        return None if value is None else check_name(value)

    @field_validator("data_dir")
    @classmethod
    def _data_dir_is_a_folder(cls, value: Path | None) -> Path | None:
        return None if value is None else check_data_dir(value)

    @model_validator(mode="before")
    @classmethod
    def _study_is_named_after_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return named_after_data(values)


class RollbackSettings(CommandSettings):
    """The options of ``rollback``."""

    name: str = option(group="Model", meaning="Name of the registered model.")

    @field_validator("name")
    @classmethod
    def _name_is_that_of_a_model(cls, value: str) -> str:
        return check_model_name(value)


class PredictSettings(RollbackSettings):
    """The options of ``predict``."""

    input: Path = option(group="Files", meaning="Image file, or folder of image files.")
    output: Path = option(Path("predictions"), group="Files", meaning="Folder for predictions.csv and predictions.png.")

    @field_validator("input")
    @classmethod
    def _input_is_there(cls, value: Path) -> Path:
        place = user_path(value)
        if not os.path.isfile(place) and not os.path.isdir(place):
            raise ValueError(f"must be an image file or a folder of them{where(value)}")
        return place

    @field_validator("output")
    @classmethod
    def _output_is_a_folder_or_will_be(cls, value: Path) -> Path:
        folder = user_path(value, is_new=True)
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise ValueError("must be a folder, or the path of a new one")
        return folder
