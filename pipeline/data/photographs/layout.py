"""Find the class of each photograph, and its part of the data, from the names of files and folders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from pipeline.data.photographs.files import Files
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

_RULE = (
    "photographs must lie in one folder per class, in train, validation and test folders of such, or all in one folder "
    "with the class at the start of their names (rain12.jpg)"
)
_CLASS_AND_NUMBER = re.compile(r"([^\W\d_](?:[^\W\d_]|[ _-])*?)[ ._()-]*\d")


class Part(StrEnum):
    """A part of the data, by the split folders; without them all photographs are ``TRAIN``."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


_SPLIT_FOLDERS = {
    "train": Part.TRAIN, "training": Part.TRAIN,
    "validation": Part.VALIDATION, "valid": Part.VALIDATION, "val": Part.VALIDATION,
    "test": Part.TEST, "testing": Part.TEST,
}  # fmt: skip


@dataclass(frozen=True)
class Photograph:
    """A file, by its path relative to the folder, with its class and its part."""

    place: PurePosixPath
    class_name: str
    part: Part


@dataclass(frozen=True)
class Layout:
    """The photographs of a folder; ``classes`` has the names of each part's classes, including empty ones."""

    photographs: tuple[Photograph, ...]
    classes: Mapping[Part, frozenset[str]]


def recognise(files: Files) -> Layout:
    """Return the photographs of a folder that has class folders, split folders, or all files in one place.

    Raises:
        DataError: there are none, they lie otherwise or in a mixture, or a file's name has no class.
    """
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


def check_classes(root: Path, layout: Layout) -> tuple[str, ...]:
    """Return the names of the classes in alphabetical order.

    Raises:
        DataError: fewer than 2 classes, different ones in different parts, or names that cannot be shown or told apart.
    """
    where, names = printable(root), sorted(layout.classes[Part.TRAIN])
    for part, classes in layout.classes.items():
        if odd := classes.symmetric_difference(names):
            raise DataError(
                f"{where}: every part must have the same classes, got {some_of(sorted(odd))} in {Part.TRAIN} or {part} "
                "alone; add the missing folders, or move the odd ones away"
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


def _from_class_folders(files: Files) -> Layout:
    photographs = tuple(Photograph(image, _class_name(image.parts[0]), Part.TRAIN) for image in files.images)
    return Layout(photographs, {Part.TRAIN: frozenset(map(_class_name, _names_in(files, PurePosixPath())))})


def _from_split_folders(files: Files) -> Layout:
    root, folders = printable(files.root), _names_in(files, PurePosixPath())
    parts = {name: _SPLIT_FOLDERS[name.lower()] for name in folders}
    if Part.TRAIN not in parts.values() or len(set(parts.values())) < len(parts):
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
    photographs = (Photograph(image, _class_name(image.parts[1]), parts[image.parts[0]]) for image in files.images)
    classes = {parts[name]: frozenset(map(_class_name, _names_in(files, PurePosixPath(name)))) for name in folders}
    return Layout(tuple(photographs), classes)


def _from_names(files: Files) -> Layout:
    found = {image: _CLASS_AND_NUMBER.match(image.name) for image in files.images}
    nameless = [image for image, match in found.items() if match is None]
    if nameless:
        raise DataError(
            f"{printable(files.root)}: photographs in one folder must be named after their class, letters before a "
            f"number (rain12.jpg), got {some_of(nameless)}; rename them, or move all into class folders"
        )
    photographs = [Photograph(image, _class_name(match[1]), Part.TRAIN) for image, match in found.items() if match]
    return Layout(tuple(photographs), {Part.TRAIN: frozenset(one.class_name for one in photographs)})


def _names_in(files: Files, place: PurePosixPath) -> list[str]:
    """Return the names of the folders directly in ``place``."""
    return [folder.name for folder in files.folders if folder.parent == place]


def _class_name(name: str) -> str:
    """Return the name in Unicode's form NFC; macOS stores letters and their accents separately."""
    return unicodedata.normalize("NFC", name)
