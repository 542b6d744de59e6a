"""Options of the command line, made from the fields of settings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from pipeline.settings import CommandSettings
from pipeline.settings.fields import Option, options

_METAVARS = {bool: "BOOLEAN", int: "INTEGER", float: "NUMBER", Path: "PATH"}


class SettingType(click.ParamType[Any]):
    """The text of an option, which the settings validate; None for ``auto`` or ``none`` where it may be left open.

    MLproject files cannot leave a parameter out.
    """

    def __init__(self, option: Option) -> None:
        self.name = option.name
        self._open_words = option.open_words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text, or None for an open value."""
        return None if value in self._open_words else value


class SettingChoice(SettingType, click.Choice[str]):
    """An option with choices: the help and shell completion list them, and the settings refuse all else."""

    def __init__(self, option: Option) -> None:
        click.Choice.__init__(self, option.choices)
        SettingType.__init__(self, option)


class SettingOption(click.Option):
    """An option made from a field; ``group`` is its heading in the help."""

    def __init__(self, option: Option) -> None:
        self.group = option.group
        super().__init__(
            [f"--{option.name.replace('_', '-')}"],
            type=SettingChoice(option) if option.choices else SettingType(option),
            metavar=f"[{'|'.join(option.choices)}]" if option.choices else _METAVARS.get(option.kind, "TEXT"),
            help=option.meaning,
            **_default(option),
        )


def _default(option: Option) -> dict[str, Any]:
    if option.is_required:
        return {"required": True}
    flag = {"is_flag": False, "flag_value": "true"} if option.kind is bool else {}
    shown = True if option.shown_default == option.default else option.shown_default
    return {"default": option.default, "show_default": shown, **flag}


class SettingsCommand(click.Command):
    """A command whose options are the fields of ``settings``, grouped by concern in the help."""

    settings: type[CommandSettings]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings of their groups."""
        for group, params in groupby(self.get_params(ctx), key=lambda param: getattr(param, "group", "Other")):
            records = [record for param in params if (record := param.get_help_record(ctx))]
            with formatter.section(group):
                formatter.write_dl(records)


def options_of(settings: type[CommandSettings]) -> Callable[[Callable[..., None]], SettingsCommand]:
    """Return a decorator that makes a function the command with the options of ``settings``."""

    def decorate(function: Callable[..., None]) -> SettingsCommand:
        command = click.command(cls=SettingsCommand)(function)
        command.params = [SettingOption(option) for option in options(settings)]
        command.settings = settings
        return command

    return decorate
