"""The end of a search on the screen: leaderboard, best knobs, where to look further."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.evaluation.objectives import Objective
from pipeline.study.search import SearchOutcome
from pipeline.tracking.leaderboard import ON_FRONT

_SHOWN = 20
_COLUMNS = {
    "best_val_accuracy": ("val_accuracy", ".4f"),
    "reported_accuracy": ("reported", ".4f"),
    "reported_on": ("reported on", ""),
    "best_val_loss": ("val_loss", ".4f"),
    "best_epoch": ("best epoch", ".0f"),
    "n_parameters": ("parameters", ",.0f"),
    "latency_ms": ("ms an image", ".2f"),
    "train_seconds": ("seconds", ".1f"),
}
_ALWAYS = ("best_val_accuracy", "best_val_loss")
_ON_REPORTED = (
    "reported: what a document states of the model, and on which images; test images were most often the very ones "
    "that chose it. val_accuracy is on validation images, and the test images stay sealed."
)
_MIN_WIDTH = 140


def print_summary(outcome: SearchOutcome) -> None:
    """Print the best trials, the knobs of the best, and how to open the UI on this very store."""
    console = make_console()
    board = outcome.leaderboard
    if outcome.n_run == 0:
        console.print(
            "No trial was run: the study has its trials, or its time was up. A larger --trials or --timeout-minutes "
            "extends it."
        )
    print_board(board)
    if outcome.objectives and len(board):
        console.print(_front_table(board[board[ON_FRONT]], outcome.objectives))
    trials = board[board["kind"] == "trial"]
    if len(trials):
        console.print(_best_knobs(trials.iloc[0], outcome.searched_knobs), highlight=False)
    print_places(outcome.ui_command, outcome.log)


def print_board(board: pd.DataFrame) -> None:
    """Print the best of a leaderboard, where it has any row."""
    if not len(board):
        return
    console = make_console()
    console.print(_table(board))
    if board["reported_accuracy"].notna().any():
        console.print(_ON_REPORTED, highlight=False, soft_wrap=True)


def print_places(ui_command: str, log: Path) -> None:
    """Print how to open the MLflow UI, and where the log is."""
    console = make_console()
    console.print(f"\nCompare in the MLflow UI:  {ui_command}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"Library messages are in {log}", soft_wrap=True, highlight=False, markup=False)


def make_console() -> Console:
    """Return a console that is as wide as a leaderboard, where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, _MIN_WIDTH))


def _table(board: pd.DataFrame) -> Table:
    shown = board.head(_SHOWN)
    table = Table(title=f"Leaderboard: {len(shown)} of {len(board)}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("run", no_wrap=True)
    table.add_column("state", no_wrap=True)
    columns = [column for column in _COLUMNS if column in board and (board[column].notna().any() or column in _ALWAYS)]
    for column in columns:
        table.add_column(_COLUMNS[column][0], justify="right", no_wrap=True)
    for _, row in shown.iterrows():
        figures = [_number(row[column], _COLUMNS[column][1]) for column in columns]
        table.add_row(str(row["rank"]), str(row["run"]), str(row["state"]), *figures)
    return table


def _front_table(front: pd.DataFrame, objectives: Sequence[Objective]) -> Table:
    """Return the members of the Pareto front, the best by the first objective first."""
    first = objectives[0]
    table = Table(title=f"Pareto front: {len(front)}", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("run", *(_COLUMNS[objective.figure][0] for objective in objectives)):
        table.add_column(name, justify="left" if name == "run" else "right", no_wrap=True)
    for _, row in front.sort_values(first.figure, ascending=first.direction == "minimize").iterrows():
        figures = [_number(row[objective.figure], _COLUMNS[objective.figure][1]) for objective in objectives]
        table.add_row(str(row["run"]), *figures)
    return table


def _number(value: object, form: str) -> str:
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return "-"
    return format(float(str(value)), form) if form else str(value)


def _best_knobs(best: pd.Series, searched: tuple[str, ...]) -> str:
    lines = [f"Best knobs ({best['run']}):"]
    lines += [f"  {name}: {_short(best[name])}" for name in searched if name in best.index]
    return "\n".join(lines)


def _short(value: object) -> str:
    try:
        return f"{float(str(value)):.4g}"
    except ValueError:
        return str(value)
