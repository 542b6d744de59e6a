"""Made-up command lines: each is refused with exit code 2 and one line, or asks for help; none writes anything."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from mutations import assert_helpful

from pipeline.cli import cli
from pipeline.cli.options import SettingsCommand
from pipeline.data.source import load_images
from pipeline.errors import DataError, InputError
from pipeline.paths import dataset_name, space_path, user_path
from pipeline.settings import make_settings
from pipeline.settings.fields import options

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)  # as a shell passes
WORDS = [
    "", " ", "auto", "none", "all", "../x", "..", ".", "/", "/dev/null", "/dev/zero", "/proc/self/mem", "~",
    "~nobody/x", "x" * 300, "x/" * 3000, "ä" * 200, "a\x1b[31mb", "a\nb", "\u202e", os.fsdecode(b"\xff\xfe"), "x.yaml",
    "x.npz", "-", "--", "-1", "0", "1", "1.5", "1e300", "-1e300", "1e-300", "inf", "-inf", "nan", "9" * 400,
    "9" * 5000, "0x1", "1_0", "+1", "\u0661", "true", "TRUE", "yes", "on", "t", "1e3", "digits", "tiny_8x8",
    "classical", ",", "classical,,", "0" * 32, "val_loss", "val_accuracy,val_loss", "plain", "grid", "wilcoxon",
    "best", "float16", "sqlite://", "name with space",
]  # fmt: skip
VALUES = st.sampled_from(WORDS) | st.sampled_from(WORDS) | TEXTS | st.integers().map(str) | st.floats().map(str)
# The last word on the data is one that no command can use, so that none begins to train.
END = ["--dataset", "no/where.npz"]
COMMANDS: dict[str, SettingsCommand] = {
    name: command for name, command in cli.commands.items() if isinstance(command, SettingsCommand)
}


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Return a command with some of its options, now and then with a word too many."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    known = {one.name: one for one in options(COMMANDS[name].settings)}
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=4))
    chosen += [option for option, one in known.items() if one.is_required and draw(st.integers(0, 9))]
    words = [name]
    for option in chosen:
        good = st.sampled_from([*known[option].choices, known[option].default])
        words += [f"--{option.replace('_', draw(st.sampled_from('-_')))}", draw(VALUES | good)]
    return [*words, *draw(st.just([]) | st.lists(VALUES, max_size=1)), *(END if "dataset" in known else [])]


@given(words=lines())
def test_any_line_of_options_is_valid_or_refused(words: list[str]) -> None:
    command = COMMANDS[words[0]]
    try:
        given = command.make_context(words[0], words[1:], parent=click.Context(cli)).params
        make_settings(command.settings, **{name: value for name, value in given.items() if value is not None})
    except InputError as error:
        assert_helpful(error)
    except click.UsageError:
        pass


@given(words=lines())
def test_any_command_is_refused_and_writes_nothing(folder: Path, words: list[str]) -> None:
    result = CliRunner().invoke(cli, words, standalone_mode=False)

    if isinstance(result.exception, InputError):
        assert result.exception.exit_code == 2
        assert len(str(result.exception)) < 6000
    elif words[0] != "doctor" or result.exception is not None:  # which finds nothing to mend in an empty folder
        assert isinstance(result.exception, click.ClickException), (words, result.exception)
        assert result.exception.exit_code == 2
    assert [path.name for path in folder.iterdir() if not path.name.startswith("input.")] == []


@given(dataset=VALUES.filter(lambda text: text and not os.path.exists(user_path(text)) and text != "digits"))
def test_any_data_set_that_is_not_there_is_refused(folder: Path, dataset: str) -> None:
    assert space_path(None, dataset).name == "default.yaml"
    assert len(dataset_name(dataset)) <= 100
    with pytest.raises(DataError) as caught:
        load_images(dataset, folder)
    assert caught.value.exit_code == 2
