"""The end of a search on the screen: leaderboard, best knobs, where to look further."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from pipeline.study.search import SearchOutcome

_SHOWN = 10
_MIN_WIDTH = 100


def print_summary(outcome: SearchOutcome) -> None:
    """Print the best trials, the knobs of the best, and how to open the UI on this very store."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _MIN_WIDTH))
    board = outcome.leaderboard
    if outcome.n_run == 0:
        console.print("No trial was run: the study has its trials, or its time was up. A larger --trials extends it.")
    if len(board):
        console.print(_table(board))
        console.print(_best_knobs(board.iloc[0], outcome.searched_knobs), highlight=False)
    console.print(
        f"\nCompare the trials in the MLflow UI:  {outcome.ui_command}", soft_wrap=True, highlight=False, markup=False
    )
    console.print(f"Library messages are in {outcome.log}", soft_wrap=True, highlight=False, markup=False)


def _table(board: pd.DataFrame) -> Table:
    table = Table(title=f"Leaderboard: {min(_SHOWN, len(board))} of {len(board)} trials", title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("trial")
    table.add_column("state")
    for name in ("val_accuracy", "val_loss", "best epoch", "parameters", "seconds"):
        table.add_column(name, justify="right")
    for row in board.head(_SHOWN).itertuples():
        table.add_row(
            str(row.rank), str(row.run), str(row.state), _number(row.best_val_accuracy, ".4f"),
            _number(row.best_val_loss, ".4f"), _number(row.best_epoch, ".0f"), _number(row.n_parameters, ",.0f"),
            _number(row.train_seconds, ".1f"),
        )  # fmt: skip
    return table


def _number(value: object, form: str) -> str:
    return "-" if value is None or pd.isna(value) else format(float(str(value)), form)  # type: ignore[call-overload]


def _best_knobs(best: pd.Series, searched: tuple[str, ...]) -> str:
    lines = [f"Best knobs ({best['run']}):"]
    lines += [f"  {name}: {_short(best[name])}" for name in searched if name in best.index]
    return "\n".join(lines)


def _short(value: object) -> str:
    try:
        return f"{float(str(value)):.4g}"
    except ValueError:
        return str(value)
