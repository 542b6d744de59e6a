"""What the benchmarks share: a Markdown table, and a bar chart beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are to be formatted before."""
    lines = [list(head), ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_bars(groups: Mapping[str, Mapping[str, float]], path: Path, *, title: str, unit: str) -> None:
    """Write a bar chart as a PNG: a panel for each group, a bar for each of its values, each with its number."""
    figure = Figure(figsize=(1.5 + 3.5 * len(groups), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (name, values) in zip(panels, groups.items(), strict=True):
        bars = axes.barh(list(values), list(values.values()), color=[f"C{number}" for number in range(len(values))])
        axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.2)
        axes.set(title=name, xlabel=unit)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
