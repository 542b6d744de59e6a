"""The rules for the classes of a folder of photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline.data.photographs.layout import RULE, Layout, Part
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError


def check_classes(root: Path, layout: Layout) -> tuple[str, ...]:
    """Return the names of the classes in alphabetical order.

    Raises:
        DataError: less than 2 classes, other ones in one part than in another, or names that are no good.
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
            f"{where}: {RULE}, got {some_of(names)} as the only class; add another class, or check the path"
        )
    if unclear := [name for name in names if not name.isprintable()]:
        raise DataError(f"{where}: names of classes must be printable text, got {some_of(unclear)}; rename them")
    spellings = Counter(name.casefold() for name in names)
    if alike := [name for name in names if spellings[name.casefold()] > 1]:
        raise DataError(
            f"{where}: names of classes must differ by more than capital letters, got {some_of(alike)}; rename them"
        )
    return tuple(names)


def check_numbers(root: Path, class_names: tuple[str, ...], present: Iterable[str], *, part: Part, least: int) -> None:
    """Check that each class has ``least`` different photographs in a part; ``present`` has the class of each.

    Raises:
        DataError: a class has less.
    """
    counts = Counter(present)
    rare = [f"{name} ({counts[name]})" for name in class_names if counts[name] < least]
    if rare:
        raise DataError(
            f"{printable(root)}: every class must have {least} or more different photographs for {part}, got too few "
            f"of {some_of(rare)}; add photographs, or move these classes away"
        )
