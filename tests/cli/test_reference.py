"""The committed reference is what the code makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.cli import cli
from pipeline.knobs.table import KNOBS

ROOT = Path(pipeline.__file__).parent.parent
FILE = ROOT / "docs" / "reference.md"
TEXT = FILE.read_text()


def test_committed_reference_is_what_the_code_makes() -> None:
    made = subprocess.run(
        [sys.executable, "docs/make_reference.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert made.stdout == TEXT, "run python docs/make_reference.py > docs/reference.md"


@pytest.mark.parametrize("name", [param.name for command in cli.commands.values() for param in command.params])
def test_reference_has_every_option(name: str) -> None:
    assert f"\n| `{name}` |" in TEXT


@pytest.mark.parametrize("name", KNOBS)
def test_reference_has_every_knob_with_its_meaning(name: str) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.endswith(f"| {KNOBS[name].meaning} |")]
    assert row.startswith(f"| `{name}` |")
