"""Options are the fields of settings: described there, read from text, logged without passwords."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import cli
from pipeline.cli.options import SettingsCommand
from pipeline.masking import mask_passwords
from pipeline.settings import CommandSettings, PromoteSettings, SearchSettings
from pipeline.settings.fields import GROUPS, options

COMMANDS = [command for command in cli.commands.values() if isinstance(command, SettingsCommand)]
SETTINGS = [command.settings for command in COMMANDS]


def parse(name: str, *words: str) -> dict[str, object]:
    """Return what the command is called with."""
    return cli.commands[name].make_context(name, list(words), parent=click.Context(cli)).params


def test_every_command_takes_its_options_from_settings() -> None:
    assert len(COMMANDS) == len(cli.commands)
    for command in COMMANDS:
        assert [param.name for param in command.params] == [option.name for option in options(command.settings)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_option_has_a_meaning_and_a_default(settings: type[CommandSettings]) -> None:
    for option in options(settings):
        assert option.meaning.endswith("."), option.name
        assert option.is_required == (option.shown_default == ""), option.name


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_optional_field_may_be_left_open(settings: type[CommandSettings]) -> None:
    for option in options(settings):
        if NoneType in get_args(settings.model_fields[option.name].annotation):
            assert option.default in option.open_words == ("auto", "none"), option.name


@pytest.mark.parametrize("settings", SETTINGS)
def test_defaults_as_text_give_the_settings_of_no_text(settings: type[CommandSettings]) -> None:
    folder = str(Path(__file__).parent)
    needed = {
        option.name: folder if option.name == "input" else "x" for option in options(settings) if option.is_required
    }
    given = {option.name: option.default for option in options(settings) if option.default not in option.open_words}
    assert settings.model_validate({**given, **needed}) == settings.model_validate(needed)


def test_help_groups_options_by_concern_and_lists_choices() -> None:
    text = CliRunner().invoke(cli, ["search", "--help"]).output
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Data", "Search", "Training", "Storage", "Execution", "Other"]
    assert headings[:-1] == [group for group in GROUPS if group in headings]
    assert "--sampler [tpe|random|gp|cmaes|qmc|grid|nsga2]" in text
    assert "[default: none]" in text  # timeout_minutes
    assert "[default: (the data set's name)]" in text


@pytest.mark.parametrize("settings", SETTINGS)
def test_options_with_choices_are_choices_to_click_and_its_completion(settings: type[CommandSettings]) -> None:
    (command,) = [one for one in cli.commands.values() if getattr(one, "settings", None) is settings]
    types = {param.name: param.type for param in command.params}
    for option in options(settings):
        kind = types[option.name]
        assert (tuple(kind.choices) if isinstance(kind, click.Choice) else ()) == option.choices


@pytest.mark.parametrize(
    ("words", "force"), [([], "false"), (["--force"], "true"), (["--force", "true"], "true"), (["--force", "no"], "no")]
)
def test_force_is_given_with_a_value_and_without(words: list[str], force: str) -> None:
    parsed = parse("promote", *words)
    assert parsed["force"] == force
    assert PromoteSettings.model_validate(parsed).force is (force == "true")


def test_none_is_a_choice_where_the_field_has_it_and_open_elsewhere() -> None:
    words = ["--keep-models", "none", "--pruner", "none", "--epochs", "none"]
    parsed = parse("search", *words)
    assert [parsed[name] for name in ("keep_models", "pruner", "epochs")] == ["none", "none", None]
    assert parse("search", "--pruner", "auto")["pruner"] is None


def test_auto_precision_is_a_search_s_own_and_leaves_that_of_a_promotion_to_the_study() -> None:
    assert parse("search", "--precision", "auto")["precision"] == "auto"
    assert parse("promote", "--precision", "auto")["precision"] is None


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("mysql+pymysql://me:a@b:c/d@host/db", "mysql+pymysql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////home/a:b@c/study.db", "sqlite:////home/a:b@c/study.db"),
        ("studies/a.journal", "studies/a.journal"),
    ],
)
def test_password_of_a_storage_is_never_logged(url: str, masked: str) -> None:
    settings = SearchSettings(storage=url)
    assert settings.storage == url
    assert settings.as_parameters()["storage"] == mask_passwords(url) == masked


def test_open_settings_are_logged_as_their_open_word() -> None:
    written = SearchSettings().as_parameters()
    assert [written[name] for name in ("epochs", "timeout_minutes", "pruner", "study")] == [
        "auto", "none", "reachable", "digits",
    ]  # fmt: skip
    assert PromoteSettings().as_parameters()["min_accuracy"] == "none"


def test_study_is_named_after_a_data_set_with_a_long_name() -> None:
    assert SearchSettings(dataset=f"/data/{150 * 'x'}").study == 100 * "x"
