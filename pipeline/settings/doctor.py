"""The settings of ``doctor``."""

from __future__ import annotations

from pydantic import field_validator

from pipeline.settings.base import CommandSettings, check_name
from pipeline.settings.fields import option


class DoctorSettings(CommandSettings):
    """The options of ``doctor``."""

    study: str | None = option(
        None, group="Storage", shown="all beside the tracking store", meaning="Study whose trials are checked."
    )
    storage: str | None = option(
        None, group="Storage", shown="the journals beside the tracking store",
        meaning="Optuna storage of the study: path of a journal file, or database URL.",
    )  # fmt: skip
    dry_run: bool = option(False, group="Execution", meaning="Only say what would be done.")

    @field_validator("study")
    @classmethod
    def _study_is_a_file_name(cls, value: str | None) -> str | None:
        return None if value is None else check_name(value)
