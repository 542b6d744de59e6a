"""The labels of a prediction on the screen."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from pipeline.cli.summary import make_console
from pipeline.promotion.prediction import Prediction

_SHOWN = 100


def print_prediction(prediction: Prediction) -> None:
    """Print the labels of the first files, which files were skipped, and where the results were written."""
    console, table = make_console(), prediction.table
    shown = Table(title=f"Labelled by {prediction.version.name} version {prediction.version.number}")
    for column in ("file", "class"):
        shown.add_column(column)
    shown.add_column("probability", justify="right")
    for row in table.head(_SHOWN).itertuples(index=False):
        shown.add_row(escape(str(row[0])), escape(str(row[1])), f"{row[2]:.4f}")
    console.print(shown)
    if len(table) > _SHOWN:
        console.print(f"and {len(table) - _SHOWN} more")
    for name, reason in prediction.unreadable.items():
        console.print(f"skipped {name}: {reason}", soft_wrap=True, highlight=False, markup=False)
    for path in (prediction.csv, prediction.sheet):
        console.print(str(path.absolute()), soft_wrap=True, highlight=False, markup=False)
