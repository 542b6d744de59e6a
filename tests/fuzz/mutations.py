"""Inputs made up from good ones."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import strategies as st

from pipeline.errors import InputError

SNIPPETS = [
    *"{}[]:,-#&*!|>%@`'\"?\n\t \\", "\x00", "\x85", "\u2028", "\ufeff", "é", "<<: ", "&a ", "*a", "- ", "---\n",
    "!!binary ", "!!python/object/apply:os.system [true]", "!!set ", "!!timestamp ", "null", "~", ".nan", ".inf",
    "-.inf", "1e999", "9" * 30, "-1", "0", "0x1F", "1_0", "0.5", "1e-9", "true", "yes", "2001-99-99", "60:60", "low: ",
    "high: ", "log: ", "step: ", "choices: ", "prior: ", "center: ", "first_trials: ", "knobs: ", "layers: ",
    "units: ", "Dense", "Flatten", "!!int x", "!!float x", "!!bool x", "!!null x", "!!binary x", "2001-01-01T25:00:00Z",
    "9" * 5000, "0x", "-0b", "1:99:99", "&b [*b]", "*b", "!x y", "? x", "|", ">-", "{}", "[]",
]  # fmt: skip
VALUE = re.compile(r"(?<=: )[^\s{}\[\],]+")  # of a row, on one line


@st.composite
def mutated_text(draw: st.DrawFn, paths: list[Path]) -> str:
    """Return the text of one of the files, with a few values, or any other pieces, replaced, removed or repeated."""
    text = draw(st.sampled_from(paths)).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 4))):
        values = [found.span() for found in VALUE.finditer(text)]
        if values and draw(st.booleans()):
            start, end = draw(st.sampled_from(values))
        else:
            start = draw(st.integers(0, len(text)))
            end = start + draw(st.sampled_from([0, 1, 1, 2, 5, 40, len(text)]))
        piece = draw(st.sampled_from(SNIPPETS) | st.text(max_size=5) | st.just(text[start:end] * 2))
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def mutated_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return ``content`` with a few bytes overwritten, removed or put in, or cut off."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.sampled_from([0, 1, 2, 4, 8, 64]))
        content = content[:start] + draw(st.binary(max_size=8)) + content[end:]
    return content


def assert_helpful(error: InputError) -> None:
    """Assert that an error is one line with a fix, and ends a command with exit code 2."""
    message = str(error)
    assert len(message.splitlines()) == 1, message
    assert error.exit_code == 2
    assert ";" in message, message
