"""Select the photographs that a search may use: not the sealed test part, nor copies of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.photographs.layout import Part, Photograph
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

# With a fifth of the rest for validation, about 7:3 of all are trained on.
TEST_SHARE = 0.15
_RANK = (Part.TEST, Part.VALIDATION, Part.TRAIN)  # copies in several parts: the first of these keeps the photograph


@dataclass(frozen=True)
class Known:
    """A photograph with the SHA-256 of its file."""

    photograph: Photograph
    sha256: str


@dataclass(frozen=True)
class Selection:
    """The photographs of each part; ``validation`` is empty where the folder has no validation folder.

    Each part is ordered by class and content, so that names do not change the order. ``counts`` has the numbers of
    duplicates, of files left out because they are in two classes, and of files left out as copies of a photograph in
    another part.
    """

    train: tuple[Known, ...]
    validation: tuple[Known, ...]
    sealed: tuple[Known, ...]
    counts: dict[str, object]


def select(root: Path, class_names: tuple[str, ...], known: Iterable[Known]) -> Selection:
    """Seal the test part; leave out copies of a photograph in another part, and photographs in two classes.

    Without a test folder, 0.15 of each class's different photographs are sealed: those with the smallest SHA-256, so
    that neither names, order nor seed change the sealed part.

    Raises:
        DataError: a class has too few different photographs in a part.
    """
    listed = sorted(known, key=lambda one: (one.photograph.class_name, one.sha256, one.photograph.place))
    copies = Counter(one.sha256 for one in listed)
    classes, parts = _gathered(listed)
    clear = [one for one in listed if len(classes[one.sha256]) == 1]
    usable = [one for one in clear if one.photograph.part == min(parts[one.sha256], key=_RANK.index)]
    by_part = {part: [one for one in usable if one.photograph.part is part] for part in Part}
    given = {one.photograph.part for one in listed}
    for part in given:
        least = 1 if part is not Part.TRAIN else 1 + len(set(Part) - given)
        _check_numbers(root, class_names, _distinct(by_part[part]), part=part, least=least)
    drawn = set() if Part.TEST in given else _draw(by_part[Part.TRAIN])
    return Selection(
        train=tuple(one for one in by_part[Part.TRAIN] if one.sha256 not in drawn),
        validation=tuple(by_part[Part.VALIDATION]),
        sealed=tuple(one for one in usable if one.photograph.part is Part.TEST or one.sha256 in drawn),
        counts={
            "n_duplicate_groups": sum(number > 1 for number in copies.values()),
            "n_duplicate_files": sum(number for number in copies.values() if number > 1),
            "n_contradictory_files": len(listed) - len(clear),
            "n_left_out_copies": len(clear) - len(usable),
        },
    )


def content_digest(class_names: tuple[str, ...], known: Iterable[Known]) -> str:
    """Return 32 hexadecimal digits that change with any file's content, class or part."""
    entries = sorted((one.photograph.part, one.photograph.class_name, one.sha256) for one in known)
    return hashlib.sha256(json.dumps([class_names, entries]).encode()).hexdigest()[:32]


def _check_numbers(root: Path, class_names: tuple[str, ...], present: Iterable[str], *, part: Part, least: int) -> None:
    """Check that each class has ``least`` different photographs in a part; ``present`` has the class of each.

    Raises:
        DataError: a class has fewer.
    """
    counts = Counter(present)
    rare = [f"{name} ({counts[name]})" for name in class_names if counts[name] < least]
    if rare:
        raise DataError(
            f"{printable(root)}: every class must have {least} or more different photographs for {part}, got too few "
            f"of {some_of(rare)}; add photographs, or move these classes away"
        )


def _gathered(known: Iterable[Known]) -> tuple[dict[str, set[str]], dict[str, set[Part]]]:
    """Return the classes and the parts that each content is found in."""
    classes, parts = defaultdict(set), defaultdict(set)
    for one in known:
        classes[one.sha256].add(one.photograph.class_name)
        parts[one.sha256].add(one.photograph.part)
    return classes, parts


def _distinct(known: Iterable[Known]) -> list[str]:
    """Return the class of each different photograph."""
    return list({one.sha256: one.photograph.class_name for one in known}.values())


def _draw(known: Iterable[Known]) -> set[str]:
    contents = defaultdict(set)
    for one in known:
        contents[one.photograph.class_name].add(one.sha256)
    return {sha256 for found in contents.values() for sha256 in sorted(found)[: max(1, round(TEST_SHARE * len(found)))]}
