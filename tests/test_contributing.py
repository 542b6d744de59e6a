"""The table of CONTRIBUTING.md says what is true: an example of each row stands in the files that the row lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parent.parent


def rows() -> dict[str, tuple[set[str], str]]:
    """Return the files and the example of each row, by what is to be added."""
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| a ")]
    return {what: (set(re.findall(r"`([^`]+)`", files)), example.strip("`")) for what, files, example in cells}


def test_there_is_a_row_for_whatever_is_added_often() -> None:
    assert {"a knob of the network", "a data set by name", "a sampler", "a gate rule", "a figure of a training"} <= set(
        rows()
    )


@pytest.mark.parametrize("what", rows())
def test_example_stands_in_the_files_of_its_row_and_in_no_others(what: str) -> None:
    files, example = rows()[what]
    word = re.compile(rf"\b{re.escape(example)}\b")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*.py")
        if word.search(path.read_text(encoding="utf-8"))
    }
    assert found == files
