"""The report of the search benchmark: tables and a figure from the results of all pairs that are finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.data.image_set import Array

from .competitors.progress import read_lines
from .competitors.registry import COMPETITORS
from .report import markdown, write_report

_N_TIMES = 400
_OURS = "ours"


@dataclass(frozen=True, eq=False)
class Pair:
    """A finished competitor with a seed: its result, and the best validation accuracy so far over time."""

    competitor: str
    seed: int
    minutes: float
    val_accuracy: float | None
    test_accuracy: float | None
    n_trainings: int
    n_epochs: int
    was_killed: bool
    seconds: Array
    best: Array

    def best_at(self, seconds: Array) -> Array:
        """Return the best validation accuracy until each of ``seconds``; not a number before the first."""
        found = np.searchsorted(self.seconds, seconds, side="right") - 1
        values = np.append(self.best, np.nan)
        reached: Array = values[found]  # -1 is the last: not a number
        return reached

    def seconds_to(self, accuracy: float) -> float | None:
        """Return the seconds after which the best validation accuracy was at least ``accuracy``; None: never."""
        reached = np.flatnonzero(self.best >= accuracy)
        return float(self.seconds[reached[0]]) if len(reached) else None


def read_pairs(folder: Path) -> list[Pair]:
    """Return the finished pairs beneath ``folder``, in the order of the competitors."""
    found = [_read_pair(path) for path in folder.glob("*/seed-*/result.json")]
    order = list(COMPETITORS)
    return sorted(found, key=lambda pair: (order.index(pair.competitor), pair.seed))


def _read_pair(path: Path) -> Pair:
    result = json.loads(path.read_text())
    points = [line for line in read_lines(path.with_name("progress.jsonl")) if "best" in line]
    kept = ("competitor", "seed", "minutes", "val_accuracy", "test_accuracy", "n_trainings", "n_epochs", "was_killed")
    seconds, best = (np.array([point[name] for point in points], np.float64) for name in ("seconds", "best"))
    return Pair(**{name: result[name] for name in kept}, seconds=seconds, best=best)


def table_of_results(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return a row a competitor: medians over the seeds, the spread of test accuracy, and how far ours is ahead.

    ``ours_ahead`` is in points of test accuracy, the median of the differences with the same seed.
    """
    return pd.DataFrame([_row(name, pairs) for name in dict.fromkeys(pair.competitor for pair in pairs)])


def _row(name: str, pairs: Sequence[Pair]) -> dict[str, object]:
    own = [pair for pair in pairs if pair.competitor == name]
    tests = [pair.test_accuracy for pair in own if pair.test_accuracy is not None]
    ours = {pair.seed: pair.test_accuracy for pair in pairs if pair.competitor == _OURS}
    ahead = [
        100 * (ours_test - pair.test_accuracy)
        for pair in own
        if pair.test_accuracy is not None and (ours_test := ours.get(pair.seed)) is not None
    ]
    return {
        "competitor": name,
        "seeds": len(own),
        "validation": _median([pair.val_accuracy for pair in own if pair.val_accuracy is not None]),
        "test": _median(tests),
        "test_low": min(tests, default=None),
        "test_high": max(tests, default=None),
        "ours_ahead": _median(ahead),
        "trainings": _median([pair.n_trainings for pair in own]),
        "epochs": _median([pair.n_epochs for pair in own]),
        "held_nothing": len(own) - len(tests),
        "killed": sum(pair.was_killed for pair in own),
    }


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def table_of_times(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return, a seed and kind of peers, when ours reached the validation accuracy at which the best of them ended."""
    rows = []
    for ours in (pair for pair in pairs if pair.competitor == _OURS):
        for kind, has_prior in (("as users write them", False), ("our prior and speed", True)):
            peers = [
                pair
                for pair in pairs
                if (pair.seed, COMPETITORS[pair.competitor].has_prior) == (ours.seed, has_prior)
                and COMPETITORS[pair.competitor].is_peer and len(pair.best)
            ]  # fmt: skip
            if peers:
                rows.append(_time_row(kind, ours, max(peers, key=lambda pair: pair.best[-1])))
    return pd.DataFrame(rows)


def _time_row(kind: str, ours: Pair, peer: Pair) -> dict[str, object]:
    ended_at = float(peer.best[-1])
    theirs, seconds = peer.seconds_to(ended_at), ours.seconds_to(ended_at)
    return {
        "peers": kind, "seed": ours.seed, "best_peer": peer.competitor, "its_validation": ended_at,
        "its_seconds": theirs, "our_seconds": seconds,
        "share_of_budget": None if seconds is None else seconds / (60 * ours.minutes),
    }  # fmt: skip


def write_search_report(folder: Path) -> str:
    """Write tables as CSV and Markdown, and the figure, to ``folder``; return the tables as Markdown."""
    pairs = read_pairs(folder)
    if not pairs:
        return "no competitor has finished yet"
    results, times = table_of_results(pairs), table_of_times(pairs)
    results.to_csv(folder / "search.csv", index=False)
    times.to_csv(folder / "search_times.csv", index=False)
    pd.DataFrame([_flat(pair) for pair in pairs]).to_csv(folder / "search_pairs.csv", index=False)
    text = markdown(results) + ("" if times.empty else "\n\n" + markdown(times))
    return write_report(folder, "search", text, draw_progress(pairs))


def _flat(pair: Pair) -> dict[str, object]:
    return {name: value for name, value in vars(pair).items() if not isinstance(value, np.ndarray)}


def draw_progress(pairs: Sequence[Pair]) -> Figure:
    """Draw the best validation accuracy so far over time: the median over seeds, a line a competitor.

    A median is drawn from the time on at which all seeds have a value. Peers with our prior and speed are dashed, in
    the colour of the same peer without.
    """
    minutes = max(pair.minutes for pair in pairs)
    seconds = np.linspace(0, 60 * minutes * 1.01, _N_TIMES)
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(pair.competitor for pair in pairs))
    ends = []
    for name in names:
        curves = np.array([pair.best_at(seconds) for pair in pairs if pair.competitor == name])
        curve = np.median(curves, axis=0)
        if np.isnan(curve).all():
            continue
        n_seeds = len(curves)
        axes.plot(seconds / 60, curve, label=f"{COMPETITORS[name].label} ({n_seeds})", **_style(name, names))
        ends.append(curve[~np.isnan(curve)][-1])
    axes.set(
        xlabel="minutes", ylabel="validation accuracy of the best so far", xlim=(0, minutes * 1.01),
        ylim=_limits(ends), title=f"{minutes:g} minutes on one core, median over seeds (their number in brackets)",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=9, title="+ prior: and our speed")
    return figure


def _style(name: str, names: Iterable[str]) -> dict[str, object]:
    if not COMPETITORS[name].is_peer:
        styles = {_OURS: ("black", "-", 2.8), "ours_bad_prior": ("black", ":", 1.8), "recipe": ("tab:red", "-", 2.0)}
        colour, line, width = styles[name]
    else:
        modules = list(dict.fromkeys(one.module for one in COMPETITORS.values() if one.is_peer))
        colours = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown")
        colour = colours[modules.index(COMPETITORS[name].module)]
        line, width = ("--" if COMPETITORS[name].has_prior else "-"), 1.5
    return {"color": colour, "linestyle": line, "linewidth": width, "drawstyle": "steps-post"}


def _limits(ends: Sequence[float]) -> tuple[float, float]:
    """Return an axis on which the ends of the lines lie apart, whatever they began with."""
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return max(0.0, low - max(0.05, 1.5 * (high - low))), min(1.0, high + 0.02)
