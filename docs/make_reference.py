"""Print the reference of options and knobs: ``python docs/make_reference.py > docs/reference.md``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.cli import cli
from pipeline.cli.options import SettingsCommand
from pipeline.knobs.table import KNOBS, Knob
from pipeline.settings.fields import Option, options

_HEAD = """# Reference

Made by `python docs/make_reference.py > docs/reference.md`; do not edit it.

Every option is given as `--data-dir x` or `--data_dir x` on the command line and as `-P data_dir=x` to `mlflow run`.
A default in parentheses is what `auto` comes to; `auto` and `none` stand for leaving such an option out.
A relative path counts from the folder where the command, or `mlflow run`, is started; what is not there is looked for
in the project.
"""


def make_reference() -> str:
    """Return the reference as Markdown: a table per command, and one of all knobs."""
    commands = (command for command in cli.commands.values() if isinstance(command, SettingsCommand))
    return "\n".join([_HEAD, *map(_command, commands), _knobs()])


def _command(command: SettingsCommand) -> str:
    rows = [(f"`{one.name}`", _values(one), _default(one), one.meaning) for one in options(command.settings)]
    summary = " ".join((command.help or "").partition("\n\n")[0].split())
    return f"## {command.name}\n\n{summary}\n\n{_table('option | values | default | meaning', rows)}"


def _values(option: Option) -> str:
    return _codes(option.choices) or option.values or "text"


def _default(option: Option) -> str:
    if option.is_required:
        return "required"
    return _codes([option.default]) if option.shown_default == option.default else f"({option.shown_default})"


def _knobs() -> str:
    rows = [
        (f"`{knob.name}`", knob.kind, _codes([knob.default]), _range(knob), knob.meaning) for knob in KNOBS.values()
    ]
    table = _table("knob | type | default | range or choices | meaning", rows)
    return f"## Knobs\n\nA search space gives each knob a value, a range or choices.\n\n{table}"


def _range(knob: Knob) -> str:
    if knob.kind == "bool":
        return _codes([False, True])
    return _codes(knob.choices) or f"{knob.low:g} to {knob.high:g}"


def _codes(values: Iterable[object]) -> str:
    texts = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return ", ".join(f"`{text}`" for text in texts)


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows), ""])


if __name__ == "__main__":
    print(make_reference(), end="")
