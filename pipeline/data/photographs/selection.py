"""Select the photographs that a search may use: not the sealed test part, nor copies of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from pipeline.data.photographs.layout import Part, Photograph
from pipeline.data.photographs.wording import printable, some_of
from pipeline.errors import DataError

# With a fifth of the rest for validation, about 7:3 of all are trained on.
TEST_SHARE = 0.15
_RANK: tuple[Part, ...] = ("test", "validation", "train")  # copies in several: the first of these has the photograph

Selection = dict[Part, list[Photograph]]
"""The photographs of each part, ordered by class and content, so that names do not change the order."""


def select(
    root: Path, class_names: tuple[str, ...], photographs: Iterable[Photograph]
) -> tuple[Selection, dict[str, object]]:  # fmt: skip
    """Seal the test part; leave out copies of a photograph in another part, and photographs in two classes.

    Without a test folder, 0.15 of each class's different photographs are sealed: those with the smallest SHA-256, so
    that neither names, order nor seed change the sealed part. Without a validation folder that part is empty.

    Beside the photographs of each part, return the numbers of duplicates, of files left out because they are in two
    classes, and of files left out as copies of a photograph in another part.

    Raises:
        DataError: a class has too few different photographs in a part.
    """
    listed = sorted(photographs, key=lambda one: (one.class_name, one.sha256, one.place))
    copies = Counter(one.sha256 for one in listed)
    classes, parts = _gathered(listed)
    clear = [one for one in listed if len(classes[one.sha256]) == 1]
    usable = [one for one in clear if one.part == min(parts[one.sha256], key=_RANK.index)]
    by_part = {part: [one for one in usable if one.part == part] for part in _RANK}
    given = {one.part for one in listed}
    for part in sorted(given):
        least = 1 if part != "train" else 1 + len(_RANK) - len(given)
        _check_numbers(root, class_names, _distinct(by_part[part]), part=part, least=least)
    drawn = set() if "test" in given else _draw(by_part["train"])
    selection: Selection = {
        "train": [one for one in by_part["train"] if one.sha256 not in drawn],
        "validation": by_part["validation"],
        "test": [one for one in usable if one.part == "test" or one.sha256 in drawn],
    }
    return selection, {
        "n_duplicate_groups": sum(number > 1 for number in copies.values()),
        "n_duplicate_files": sum(number for number in copies.values() if number > 1),
        "n_contradictory_files": len(listed) - len(clear),
        "n_left_out_copies": len(clear) - len(usable),
    }


def content_digest(class_names: tuple[str, ...], photographs: Iterable[Photograph]) -> str:
    """Return 32 hexadecimal digits that change with any file's content, class or part."""
    entries = sorted((one.part, one.class_name, one.sha256) for one in photographs)
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


def _gathered(photographs: Iterable[Photograph]) -> tuple[dict[str, set[str]], dict[str, set[Part]]]:
    """Return the classes and the parts that each content is found in."""
    classes, parts = defaultdict(set), defaultdict(set)
    for one in photographs:
        classes[one.sha256].add(one.class_name)
        parts[one.sha256].add(one.part)
    return classes, parts


def _distinct(photographs: Iterable[Photograph]) -> list[str]:
    """Return the class of each different photograph."""
    return list({one.sha256: one.class_name for one in photographs}.values())


def _draw(photographs: Iterable[Photograph]) -> set[str]:
    contents = defaultdict(set)
    for one in photographs:
        contents[one.class_name].add(one.sha256)
    return {sha256 for found in contents.values() for sha256 in sorted(found)[: max(1, round(TEST_SHARE * len(found)))]}
