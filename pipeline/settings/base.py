"""What the settings of all commands have in common: how they are validated, refused and logged."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import ErrorDetails

from pipeline.errors import SettingError, nearest
from pipeline.masking import mask_passwords
from pipeline.paths import MAX_NAME_LENGTH, dataset_name, default_data_dir, user_path, where
from pipeline.settings.fields import options

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAX_SHOWN = 100
_MAX_MODEL_NAME_BYTES = 200  # the names of files have at most 255
_REASON = re.compile(r", (?:unable|got) .*")  # that pydantic adds to a rule


class CommandSettings(BaseModel):
    """The options of a command."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _text_is_not_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("must not be empty")
        return value

    def as_parameters(self) -> dict[str, str]:
        """Return the settings as MLflow parameters, with passwords masked.

        What was left open reads ``auto``, or ``none`` where it is a limit.
        """
        defaults = {option.name: option.default for option in options(type(self))}
        return {name: defaults[name] if value is None else _written(value) for name, value in self.model_dump().items()}


def _written(value: object) -> str:
    return f"{value:g}" if type(value) is float else mask_passwords(str(value))


Settings = TypeVar("Settings", bound=CommandSettings)


def make_settings(kind: type[Settings], **values: object) -> Settings:
    """Validate the options of a command; numbers may be given as text.

    Raises:
        SettingError: the first option that breaks a rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingError(_message(kind, error.errors(include_url=False)[0])) from error


def _message(kind: type[CommandSettings], error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"])
    rule = _REASON.sub("", error["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    rule = "must be a smaller integer" if error["type"] == "int_parsing_size" else rule
    return f"{name} {rule}, got {_received(error['input'])}; change --{name.replace('_', '-')}{_hint(kind, error)}"


def _hint(kind: type[CommandSettings], error: ErrorDetails) -> str:
    option = next((one for one in options(kind) if one.name == error["loc"][-1]), None)
    near = nearest(error["input"], option.choices) if option else None
    if near and near != error["input"]:
        return f"; did you mean '{near}'?"
    return ", or leave it out" if option and option.open_words else ""


def _received(value: object) -> str:
    """Return a value as it was given, its beginning where it is long: a number bare, text in quotes."""
    text = mask_passwords(str(value))
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    try:
        float(text)
    except ValueError:
        return repr(shown)
    return shown


def check_name(value: str) -> str:
    """Return a name that can be that of a file, too.

    Raises:
        ValueError: it is too long, or contains another character.
    """
    if not _NAME.fullmatch(value):
        raise ValueError("may contain only letters, digits, '.', '_' and '-', and starts with a letter or digit")
    if len(value) > MAX_NAME_LENGTH:
        raise ValueError(f"must have at most {MAX_NAME_LENGTH} characters")
    return value


def check_model_name(value: str) -> str:
    """Return the name of a registered model, which may have been made elsewhere.

    Raises:
        ValueError: MLflow has no such names, or no file can be named after it.
    """
    if not value.isprintable() or set("/:") & set(value):
        raise ValueError("must be printable text without '/' and ':'")
    if len(value.encode()) > _MAX_MODEL_NAME_BYTES:
        raise ValueError(f"must have at most {_MAX_MODEL_NAME_BYTES} bytes")
    return value


def check_data_dir(value: Path) -> Path:
    """Return a folder of data sets; the default one is made by the first download.

    Raises:
        ValueError: it is no folder, or a folder of the user's that is missing.
    """
    folder = user_path(value)
    if not os.path.isdir(folder) and (folder != default_data_dir() or os.path.exists(folder)):
        raise ValueError(f"must be an existing folder{where(value)}")
    return folder


def named_after_data(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with a ``study``: where there is none, the data set's name."""
    if values.get("study") is not None:
        return values
    return {**values, "study": dataset_name(str(values.get("dataset") or "digits"))}
