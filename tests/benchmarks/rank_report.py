"""The report of the rank benchmark: correlations, a row a configuration, and a scatter of each pair of budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

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
            row |= {f"{name}_{place}": budget[name] for name in ("seconds", "val_accuracy", "epochs")}
        rows.append({**row, "knobs": json.dumps(one["knobs"])})
    return pd.DataFrame(rows).sort_values(["dataset", "number"], ignore_index=True)


def table_of_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of each pair of budgets, over all configurations and over the better half.

    The better half is that of the longest budget.
    """
    rows = []
    for dataset, own in table.groupby("dataset"):
        better = own.nlargest(len(own) // 2, "val_accuracy_2")
        for short, long in _PAIRS:
            rows.append({
                "dataset": dataset, "seconds": f"{own[f'seconds_{short}'].iloc[0]:g}",
                "with": f"{own[f'seconds_{long}'].iloc[0]:g}", "configurations": len(own),
                "spearman_all": _spearman(own, short, long), "spearman_better_half": _spearman(better, short, long),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _spearman(table: pd.DataFrame, short: int, long: int) -> float:
    """Return Spearman's rank correlation; not a number where all values of a budget are the same."""
    ranks = [table[f"val_accuracy_{place}"].rank().to_numpy() for place in (short, long)]
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
            for origin, colour in _COLOURS.items():
                some = own[own["origin"] == origin]
                axes.scatter(some[f"val_accuracy_{short}"], some[f"val_accuracy_{long}"], color=colour, label=origin)
            axes.set(
                xlabel=f"validation accuracy in {own[f'seconds_{short}'].iloc[0]:g} s",
                ylabel=f"in {own[f'seconds_{long}'].iloc[0]:g} s",
                title=f"{dataset}: rank correlation {_spearman(own, short, long):.2f}",
            )
            axes.grid(alpha=0.3)
    grid[0][0].legend()
    return figure
