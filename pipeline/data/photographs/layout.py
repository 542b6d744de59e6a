"""Find the class of each photograph, and its part of the data, from the names of files and folders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.data.photographs.files import Files
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

_RULE = (
    "photographs must lie in one folder per class, in train, validation and test folders of such, or all in one folder "
    "with the class at the start of their names (rain12.jpg)"
)
_CLASS_AND_NUMBER = re.compile(r"([^\W\d_](?:[^\W\d_]|[ _-])*?)[ ._()-]*\d")


Part = Literal["train", "validation", "test"]
"""A part of the data, by the split folders; without them all photographs are for training."""

_SPLIT_FOLDERS: dict[str, Part] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Photograph:
    """A file, by its path relative to the folder, with its class and its part.

    ``sha256`` is that of its content, in hexadecimal; empty until the file was read.
    """

    place: PurePosixPath
    class_name: str
    part: Part
    sha256: str = ""


_Found = tuple[list[Photograph], dict[Part, set[str]]]
"""Photographs, and the names of each part's classes, including empty ones."""


def recognise(files: Files) -> tuple[list[Photograph], tuple[str, ...]]:
    """Return the photographs of a folder, and the names of their classes in alphabetical order.

    The folder has class folders, split folders, or all files in one place.

    Raises:
        DataError: there are none, they lie otherwise or in a mixture, or a file's name has no class; fewer than 2
            classes, different ones in different parts, or names that cannot be shown or told apart.
    """
    photographs, classes = _find(files)
    return photographs, _check_classes(files.root, classes)


def _find(files: Files) -> _Found:
    root = printable(files.root)
    if not files.images:
        raise DataError(f"{root}: {_RULE}, got no image among {files.n_others:,} files; check the path")
    loose = [image for image in files.images if len(image.parts) == 1]
    nested = [image for image in files.images if len(image.parts) > 1]
    if loose and nested:
        raise DataError(
            f"{root}: {_RULE}, got a mixture ({some_of((loose[0], nested[0]))}); move one or the other away"
        )
    if loose:
        return _from_names(files)
    return _from_split_folders(files) if _has_split_folders(files) else _from_class_folders(files)


def _check_classes(root: Path, classes: Mapping[Part, set[str]]) -> tuple[str, ...]:
    where, names = printable(root), sorted(classes["train"])
    for part, found in classes.items():
        if odd := found.symmetric_difference(names):
            raise DataError(
                f"{where}: every part must have the same classes, got {some_of(sorted(odd))} in train or {part} alone; "
                "add the missing folders, or move the odd ones away"
            )
    if len(names) < 2:
        raise DataError(
            f"{where}: {_RULE}, got {some_of(names)} as the only class; add another class, or check the path"
        )
    if unclear := [name for name in names if not name.isprintable()]:
        raise DataError(f"{where}: names of classes must be printable text, got {some_of(unclear)}; rename them")
    spellings = Counter(name.casefold() for name in names)
    if alike := [name for name in names if spellings[name.casefold()] > 1]:
        raise DataError(
            f"{where}: names of classes must differ by more than capital letters, got {some_of(alike)}; rename them"
        )
    return tuple(names)


def _has_split_folders(files: Files) -> bool:
    """Tell split folders from classes: beside a folder ``bus``, a folder ``train`` without class folders is a class."""
    top = _names_in(files, PurePosixPath())
    split = [name for name in top if name.lower() in _SPLIT_FOLDERS]
    others = [name for name in top if name.lower() not in _SPLIT_FOLDERS]
    if not split or not others:
        return bool(split)
    if any(_names_in(files, PurePosixPath(name)) for name in split):
        raise DataError(
            f"{printable(files.root)}: {_RULE}, got a mixture ({some_of(split)} beside {some_of(others)}); move one or "
            "the other away"
        )
    return False


def _from_class_folders(files: Files) -> _Found:
    photographs = [Photograph(image, _class_name(image.parts[0]), "train") for image in files.images]
    return photographs, {"train": set(map(_class_name, _names_in(files, PurePosixPath())))}


def _from_split_folders(files: Files) -> _Found:
    root, folders = printable(files.root), _names_in(files, PurePosixPath())
    parts = {name: _SPLIT_FOLDERS[name.lower()] for name in folders}
    if "train" not in parts.values() or len(set(parts.values())) < len(parts):
        raise DataError(
            f"{root}: split folders must be one called train, and at most one for validation and for test, got "
            f"{some_of(folders)}; rename or merge them"
        )
    astray = [image for image in files.images if len(image.parts) < 3]
    if astray:
        raise DataError(
            f"{root}: photographs in train, validation and test must lie in class folders, got {some_of(astray)}; move "
            "them into the folders of their classes, or away"
        )
    photographs = [Photograph(image, _class_name(image.parts[1]), parts[image.parts[0]]) for image in files.images]
    return photographs, {parts[name]: set(map(_class_name, _names_in(files, PurePosixPath(name)))) for name in folders}


def _from_names(files: Files) -> _Found:
    found = {image: _CLASS_AND_NUMBER.match(image.name) for image in files.images}
    nameless = [image for image, match in found.items() if match is None]
    if nameless:
        raise DataError(
            f"{printable(files.root)}: photographs in one folder must be named after their class, letters before a "
            f"number (rain12.jpg), got {some_of(nameless)}; rename them, or move all into class folders"
        )
    photographs = [Photograph(image, _class_name(match[1]), "train") for image, match in found.items() if match]
    return photographs, {"train": {one.class_name for one in photographs}}


def _names_in(files: Files, place: PurePosixPath) -> list[str]:
    """Return the names of the folders directly in ``place``."""
    return [folder.name for folder in files.folders if folder.parent == place]


def _class_name(name: str) -> str:
    """Return the name in Unicode's form NFC; macOS stores letters and their accents separately."""
    return unicodedata.normalize("NFC", name)
