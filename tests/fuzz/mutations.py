"""Inputs made up from good ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from pipeline.errors import InputError

SNIPPETS = [
    *"{}[]:,-#&*!|>%@`'\"?\n\t \\", "\x00", "\x85", "\u2028", "\ufeff", "é", "<<: ", "&a ", "*a", "- ", "---\n",
    "!!binary ", "!!python/object/apply:os.system [true]", "!!set ", "!!timestamp ", "null", "~", ".nan", ".inf",
    "-.inf", "1e999", "9" * 30, "-1", "0", "0x1F", "1_0", "0.5", "1e-9", "true", "yes", "2001-99-99", "60:60", "low: ",
    "high: ", "log: ", "step: ", "choices: ", "prior: ", "center: ", "first_trials: ", "knobs: ", "layers: ",
    "units: ", "Dense", "Flatten",
]  # fmt: skip


@st.composite
def mutated_text(draw: st.DrawFn, paths: list[Path]) -> str:
    """Return the text of one of the files, with a few pieces removed, repeated or put in."""
    text = draw(st.sampled_from(paths)).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 4))):
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
