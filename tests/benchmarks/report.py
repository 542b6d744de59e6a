"""What the reports of all benchmarks share: Markdown tables, bar charts, and the two files that a benchmark leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

_FOUR_DIGITS = ("test", "validation", "its_validation", "spearman", "share")


def write_report(folder: Path, name: str, text: str, figure: Figure) -> str:
    """Write ``text`` as NAME.md and the figure as NAME.png to ``folder``; return the text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n")
    figure.savefig(folder / f"{name}.png", dpi=120)
    return text


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are to be formatted before."""
    lines = [list(head), ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(table: pd.DataFrame) -> str:
    """Return a Markdown table of a data frame: accuracies with four digits, other numbers with one."""
    rows = [[_cell(str(name), value) for name, value in row.items()] for row in table.to_dict("records")]
    return markdown_table([str(name) for name in table.columns], rows)


def _cell(name: str, value: object) -> str:
    if value is None or value != value:
        return ""
    if not isinstance(value, float):
        return str(value)
    if name.startswith(_FOUR_DIGITS):
        return f"{value:.4f}"
    return f"{value:+.2f}" if name == "ours_ahead" else f"{value:.1f}".removesuffix(".0")


def draw_bars(groups: Mapping[str, Mapping[str, float]], *, title: str, unit: str) -> Figure:
    """Return a bar chart: a panel for each group, a bar for each of its values, each with its number."""
    figure = Figure(figsize=(1.5 + 3.5 * len(groups), 3.6), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (name, values) in zip(panels, groups.items(), strict=True):
        bars = axes.barh(list(values), list(values.values()), color=[f"C{number}" for number in range(len(values))])
        axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.2)
        axes.set(title=name, xlabel=unit)
    figure.suptitle(title)
    return figure
