"""The fields of settings: the one place that describes an option, for the command line and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Group = Literal["Model", "Data", "Search", "Training", "Finalists", "Gate", "Storage", "Files", "Execution"]
GROUPS: tuple[str, ...] = get_args(Group)

_OPEN_WORDS = ("auto", "none")
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_KINDS = {bool: "true or false", int: "integer", float: "number", Path: "path"}


def option(default: Any = ..., *, group: Group, meaning: str, shown: str | None = None, **limits: Any) -> Any:
    """Declare a field that is an option; without a default it is required.

    ``shown`` is the default in words, where it is none of the field's own values; such an option may be left open.
    """
    return Field(default, description=meaning, json_schema_extra={"group": group, "shown": shown}, **limits)


@dataclass(frozen=True)
class Option:
    """An option as its field describes it.

    ``default`` is the text that stands for leaving it out, ``shown_default`` what that comes to; both are empty where
    the option is required. ``bounds`` are conditions on a number.
    """

    name: str
    group: str
    meaning: str
    kind: type
    choices: tuple[str, ...]
    bounds: tuple[str, ...]
    is_required: bool
    default: str
    shown_default: str
    open_words: tuple[str, ...]

    @property
    def values(self) -> str:
        """The kind of value that it takes, in words; empty for text and for choices."""
        return f"{_KINDS.get(self.kind, '')} {' and '.join(self.bounds)}".strip()


def options(settings: type[BaseModel]) -> list[Option]:
    """Return the options of a settings class, by group and then in the order of its fields.

    A field that is excluded from the settings' dump is no option.
    """
    found = [_read(name, field) for name, field in settings.model_fields.items() if not field.exclude]
    return sorted(found, key=lambda option: GROUPS.index(option.group))


def _read(name: str, field: FieldInfo) -> Option:
    extra: Any = field.json_schema_extra
    kind, choices = _kind(field.annotation)
    shown = extra["shown"]
    own = "" if field.is_required() else str(field.default).lower() if kind is bool else str(field.default)
    default = own if shown is None else "none" if shown == "none" else "auto"
    return Option(
        name=name, group=extra["group"], meaning=str(field.description), kind=kind, choices=choices,
        bounds=tuple(_bounds(field)), is_required=field.is_required(), default=default, shown_default=shown or own,
        open_words=() if shown is None else tuple(word for word in _OPEN_WORDS if word not in choices),
    )  # fmt: skip


def _kind(annotation: Any) -> tuple[type, tuple[str, ...]]:
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not NoneType)
    return (str, get_args(annotation)) if get_origin(annotation) is Literal else (annotation, ())


def _bounds(field: FieldInfo) -> list[str]:
    limits = [(limit, name) for limit in field.metadata for name in _BOUNDS if hasattr(limit, name)]
    return [f"{_BOUNDS[name]} {getattr(limit, name)}" for limit, name in limits]
