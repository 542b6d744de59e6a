"""Figures of a candidate against the champion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.data.pixels import Pixels, extremes
from pipeline.evaluation.canvas import MAX_CLASSES_WITH_NUMBERS, PLAIN, draw_gallery, make_figure
from pipeline.evaluation.comparison import only_right
from pipeline.evaluation.scores import Predictions

_BETTER, _WORSE = "#1b7837", "#c2512b"
_MAX_BARS = 40
_SHOWN_PER_MODEL = 12


def draw_class_changes(table: pd.DataFrame) -> Figure:
    """Draw the change of each class's accuracy as a bar; of more than 40 classes, those that changed most."""
    title = "Accuracy of each class: candidate less champion"
    if len(table) > _MAX_BARS:
        table = table.loc[table["change"].abs().sort_values(kind="stable").index[-_MAX_BARS:]]
        table = table.sort_values("change", ascending=False, kind="stable")
        title += f" (the {_MAX_BARS} that changed most)"
    longest = max(len(str(name)) for name in table.index)
    margin, height = 0.4 + 0.08 * longest, 1.1 + 0.28 * len(table)
    figure = make_figure(margin + 6.4, height)
    axes = figure.add_axes((margin / (margin + 6.4), 0.6 / height, 6.2 / (margin + 6.4), 0.28 * len(table) / height))
    changes = 100 * table["change"].to_numpy()
    places = np.arange(len(table))[::-1]
    axes.barh(places, changes, color=np.where(changes >= 0, _BETTER, _WORSE))
    reach = max(float(np.abs(changes).max()), 0.5)
    for place, change, (_, row) in zip(places, changes, table.iterrows(), strict=True):
        text = f"{row['champion']:.1%} to {row['candidate']:.1%}"
        axes.text(change + (0.02 if change >= 0 else -0.02) * reach, place, text, va="center", fontsize=8,
                  ha="left" if change >= 0 else "right")  # fmt: skip
    axes.set_yticks(places, [str(name) for name in table.index], fontsize=9, **PLAIN)
    axes.set(xlim=(-1.5 * reach, 1.5 * reach), ylim=(-0.6, len(table) - 0.4), xlabel="points of accuracy")
    axes.set_title(title, fontsize=10)
    axes.axvline(0, color="0.3", lw=0.8)
    return figure


def draw_confusion_difference(difference: pd.DataFrame) -> Figure:
    """Draw the counts that the candidate has more (green where that is good) or fewer than the champion."""
    counts = difference.to_numpy()
    n_classes = len(counts)
    goodness = np.where(np.eye(n_classes, dtype=bool), counts, -counts)  # more right answers, fewer wrong ones
    size = float(np.clip(160 / n_classes, 5.5, 10))
    grid = float(np.clip(0.5 * n_classes, 3.5, 14))
    margin = 0.55 + 0.009 * size * max(len(str(name)) for name in difference.index)
    width, height = margin + grid + 0.4, margin + grid + 0.7
    figure = make_figure(max(width, 5.6), height)
    axes = figure.add_axes((margin / max(width, 5.6), margin / height, grid / max(width, 5.6), grid / height))
    reach = max(1, int(np.abs(counts).max()))
    axes.imshow(goodness, cmap="PiYG", vmin=-reach, vmax=reach)
    turned = 90 if max(len(str(name)) for name in difference.columns) > 3 else 0
    axes.set_xticks(range(n_classes), list(difference.columns), rotation=turned, fontsize=size, **PLAIN)
    axes.set_yticks(range(n_classes), list(difference.index), fontsize=size, **PLAIN)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title("Images: candidate less champion\ngreen: better, pink: worse", fontsize=10, loc="left")
    if n_classes <= MAX_CLASSES_WITH_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if abs(count) > 0.7 * reach else "black"
                axes.text(column, row, f"{count:+d}", ha="center", va="center", fontsize=8, color=colour)
    return figure


def draw_only_one_right(images: Pixels, candidate: Predictions, champion: Predictions) -> Figure:
    """Draw raw images that only one of the two gets right: first the candidate's, then the champion's."""
    ours, theirs = only_right(candidate, champion), only_right(champion, candidate)
    first, second = ours[:_SHOWN_PER_MODEL], theirs[:_SHOWN_PER_MODEL]
    return draw_gallery(
        [images[index] for index in (*first, *second)],
        [
            *(f"candidate is right\n{_describe_mistake(champion, 'champion', index)}" for index in first),
            *(f"champion is right\n{_describe_mistake(candidate, 'candidate', index)}" for index in second),
        ],
        pixel_range=extremes(images),
        title=f"Right by the candidate alone: {len(ours)}, by the champion alone: {len(theirs)}",
    )


def _describe_mistake(predictions: Predictions, model: str, index: int) -> str:
    names = predictions.class_names
    return f"true: {names[predictions.labels[index]]}\n{model}: {names[predictions.predicted[index]]}"
