"""The report of the rank benchmark: correlations, a row a configuration, and a scatter of each pair of budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.study.forecast import Errors

from .report import markdown, write_report

_COLOURS = {"prior": "tab:red", "mutation": "tab:orange", "uniform": "tab:blue"}
_PAIRS = ((0, 2), (1, 2), (0, 1))


def write_rank_report(folder: Path) -> str:
    """Write tables as CSV and Markdown, and the figure, to ``folder``; return the correlations as Markdown."""
    path = folder / "ranks.jsonl"
    if not path.exists():
        return "nothing has been trained yet"
    table = table_of_trainings([json.loads(line) for line in path.read_text().splitlines()])
    table.to_csv(folder / "rank_trainings.csv", index=False)
    correlations = table_of_correlations(table)
    correlations.to_csv(folder / "ranks.csv", index=False)
    return write_report(folder, "ranks", markdown(correlations), draw_scatter(table))


def table_of_trainings(results: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a row a configuration: seconds, validation accuracy and epochs at each of the three budgets."""
    rows = []
    for one in results:
        row = {"dataset": Path(one["dataset"]).stem, "number": one["number"], "origin": one["origin"]}
        for place, budget in enumerate(one["budgets"]):
            row |= {f"{name}_{place}": budget[name] for name in ("seconds", "val_accuracy", "train_accuracy", "epochs")}
        rows.append({**row, "knobs": json.dumps(one["knobs"])})
    return pd.DataFrame(rows).sort_values(["dataset", "number"], ignore_index=True)


def table_of_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of each pair of budgets, over all configurations and over the better half.

    The better half is that of the longest budget. The forecast for it by the second one has a row of its own;
    ``exponent`` is the median of what the forecast takes for its exponent, as it was between these two.
    """
    rows = []
    for dataset, own in table.groupby("dataset"):
        own = own.assign(forecast=_forecasts(own))
        better = own.nlargest(len(own) // 2, "val_accuracy_2")
        seconds = [f"{own[f'seconds_{place}'].iloc[0]:g}" for place in range(3)]
        columns = [(seconds[short], f"val_accuracy_{short}", seconds[long], f"val_accuracy_{long}")
                   for short, long in _PAIRS]  # fmt: skip
        columns.append((f"forecast by {seconds[1]}", "forecast", seconds[2], "val_accuracy_2"))
        for first, first_column, second, second_column in columns:
            rows.append({
                "dataset": dataset, "seconds": first, "with": second, "configurations": len(own),
                "spearman_all": _spearman(own, first_column, second_column),
                "spearman_better_half": _spearman(better, first_column, second_column),
                "exponent": _exponent(better) if first_column == "forecast" else None,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _forecasts(table: pd.DataFrame) -> list[float]:
    """Return the accuracy of the longest budget that the search would expect after the second one."""
    errors = (Errors(1 - row.val_accuracy_1, 1 - row.train_accuracy_1) for row in table.itertuples())
    ratios = table["seconds_2"] / table["seconds_1"]
    return [1 - one.after(ratio) for one, ratio in zip(errors, ratios, strict=True)]


def _exponent(table: pd.DataFrame) -> float:
    """Return the median of the exponents by which the error that was left fell; none where nothing was left."""
    left = table[table["train_accuracy_1"] < 1]
    share = (left["val_accuracy_2"] - left["val_accuracy_1"]) / (1 - left["train_accuracy_1"])
    exponents = -np.log(1 - share.clip(upper=0.999)) / np.log(left["seconds_2"] / left["seconds_1"])
    return float(exponents.median())


def _spearman(table: pd.DataFrame, short: str, long: str) -> float:
    """Return Spearman's rank correlation of two columns; not a number where all values of one are the same."""
    ranks = [table[column].rank().to_numpy() for column in (short, long)]
    if len(table) < 2 or any(np.ptp(one) == 0 for one in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def draw_scatter(table: pd.DataFrame) -> Figure:
    """Draw accuracy at a shorter budget against a longer one: a panel for each pair, a row for each data set."""
    datasets = list(table["dataset"].unique())
    figure = Figure(figsize=(4 * len(_PAIRS), 3.8 * len(datasets)), layout="constrained")
    grid = figure.subplots(len(datasets), len(_PAIRS), squeeze=False)
    for row, dataset in zip(grid, datasets, strict=True):
        own = table[table["dataset"] == dataset]
        for axes, (short, long) in zip(row, _PAIRS, strict=True):
            found = _spearman(own, f"val_accuracy_{short}", f"val_accuracy_{long}")
            for origin, colour in _COLOURS.items():
                some = own[own["origin"] == origin]
                axes.scatter(some[f"val_accuracy_{short}"], some[f"val_accuracy_{long}"], color=colour, label=origin)
            axes.set(
                xlabel=f"validation accuracy in {own[f'seconds_{short}'].iloc[0]:g} s",
                ylabel=f"in {own[f'seconds_{long}'].iloc[0]:g} s",
                title=f"{dataset}: rank correlation {found:.2f}",
            )
            axes.grid(alpha=0.3)
    grid[0][0].legend()
    return figure
