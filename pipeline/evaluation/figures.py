"""Figures of one training: curves, confusion matrix, the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels, extremes
from pipeline.evaluation.canvas import MAX_CLASSES_WITH_NUMBERS, Page, draw_gallery, draw_scales, make_figure
from pipeline.evaluation.scores import Predictions
from pipeline.training.result import Epoch, mean_curve

_TRAIN, _VALIDATION = "#1f77b4", "#d95f02"
_HEAD = 0.5  # inches above a confusion matrix
_LISTED_CONFUSIONS = 30
_GALLERY = 24


def draw_curves(curves: Sequence[Sequence[Epoch]], best_epoch: Epoch) -> Figure:
    """Draw accuracy and loss of training and validation, if there was any, over the epochs, the best epoch marked.

    Of several folds each is a thin line, and their mean, as far as all of them go, the bold one; ``best_epoch`` is the
    mean of their best.
    """
    figure = make_figure(10, 4)
    of_folds = f", mean of {len(curves)} folds" if len(curves) > 1 else ""
    best = "best epochs: median {}, mean {:.4f}" if of_folds else "best epoch: {} ({:.4f})"
    for left, name in ((0.06, "accuracy"), (0.555, "loss")):
        axes = figure.add_axes((left, 0.13, 0.425, 0.78))
        _draw_curve(axes, curves, name, color=_TRAIN, label=f"training{of_folds}")
        if best_epoch.is_validated:
            _draw_curve(axes, curves, f"val_{name}", color=_VALIDATION, label=f"validation{of_folds}")
            label = best.format(best_epoch.number, getattr(best_epoch, f"val_{name}"))
            axes.axvline(best_epoch.number, color="0.6", lw=1, ls="--", label=label)
        draw_scales(axes, whole_x=True)
        axes.text(0.5, -0.14, "epoch", transform=axes.transAxes, ha="center", va="bottom")
        axes.text(0.5, 1.02, name.capitalize(), transform=axes.transAxes, ha="center", fontsize=12)
        _name_lines(axes, top=0.92 if name == "loss" else 0.26)
    return figure


def _name_lines(axes: Axes, *, top: float) -> None:
    """Write the labels of lines in their colours, below each other at the right, from a share of the height on."""
    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    for number, line in enumerate(labelled):
        place = (0.97, top - 0.07 * number)
        text, color = str(line.get_label()), line.get_color()
        axes.text(*place, text, transform=axes.transAxes, color=color, fontsize=9, ha="right", va="center")


def _draw_curve(axes: Axes, curves: Sequence[Sequence[Epoch]], name: str, *, color: str, label: str) -> None:
    folds, mean = curves if len(curves) > 1 else (), mean_curve(curves)
    for epochs in folds:
        axes.plot([e.number for e in epochs], [getattr(e, name) for e in epochs], lw=0.7, alpha=0.5, color=color)
    values, width = [getattr(e, name) for e in mean], 2.2 if folds else 1.5
    axes.plot([e.number for e in mean], values, "o-", ms=3, lw=width, color=color, label=label)


def draw_confusion(table: pd.DataFrame) -> Figure:
    """Draw counts and shares of true against predicted classes; readable for 2 to 100 classes.

    Colour is the share of the true class. Up to 25 classes every cell has its count and share; beyond that the most
    frequent confusions are listed beside the matrix with theirs.
    """
    counts = table.to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n_classes = len(counts)
    size = float(np.clip(160 / n_classes, 5.5, 10))
    grid = float(np.clip(0.55 * n_classes, 3.5, 15))  # inches of the square itself
    longest = max(len(name) for name in table.index)
    margin = 0.55 + 0.009 * size * longest  # inches: the axis label and the longest class name
    has_numbers = n_classes <= MAX_CLASSES_WITH_NUMBERS
    page = Page(margin + grid + (1.1 if has_numbers else 5.0), _HEAD + grid + margin)
    _draw_shares(page, (margin, _HEAD, grid, grid), shares)
    _draw_colour_bar(page, margin + grid + 0.12, grid)
    places = (np.arange(n_classes) + 0.5) * grid / n_classes
    for place, column, row in zip(places, table.columns, table.index, strict=True):
        turned = 90 if longest > 3 else 0
        page.write(margin + place, _HEAD + grid + 0.06, column, rotation=turned, size=size, ha="center", va="top")
        page.write(margin - 0.06, _HEAD + place, row, size=size, ha="right", va="center")
    page.write(margin + grid / 2, _HEAD + grid + margin - 0.06, "predicted", ha="center", va="bottom")
    page.write(0.06, _HEAD + grid / 2, "true", rotation=90, va="center")
    title = f"{np.trace(counts) / max(counts.sum(), 1):.2%} of {counts.sum():,} images right"
    page.write(margin + grid / 2, _HEAD - 0.08, title, size=12, ha="center", va="bottom")
    if has_numbers:
        _write_cells(page, counts, shares, margin + places, _HEAD + places)
    else:
        listed = _frequent_confusions(table, shares)
        page.write(margin + grid + 1.2, _HEAD, listed, size=11, va="top", linespacing=1.6)
    return page.figure


def _draw_shares(page: Page, box: tuple[float, float, float, float], shares: Array) -> None:
    """Draw shares as colours into a box of left, top, width, height."""
    page.image(box, shares, cmap="Blues", norm=PowerNorm(0.6, 0, 1))
    page.frame(box)


def _draw_colour_bar(page: Page, left: float, height: float) -> None:
    _draw_shares(page, (left, _HEAD, 0.18, height), np.linspace(1, 0, 256)[:, None])
    for share in np.linspace(0, 1, 6):
        page.write(left + 0.24, _HEAD + (1 - share) * height, f"{share:.1f}", va="center")
    page.write(left + 0.62, _HEAD + height / 2, "share of the true class", rotation=90, va="center")


def _frequent_confusions(table: pd.DataFrame, shares: Array) -> str:
    counts = table.to_numpy() * (1 - np.eye(len(table), dtype=int))
    rows, columns = np.unravel_index(np.argsort(-counts, axis=None, kind="stable")[:_LISTED_CONFUSIONS], counts.shape)
    lines = ["Most frequent confusions", "(true -> predicted: count, share)", ""]
    for row, column in zip(rows, columns, strict=True):
        if counts[row, column]:
            names = f"{table.index[row]} -> {table.columns[column]}"
            lines.append(f"{names}: {counts[row, column]}, {shares[row, column]:.0%}")
    return "\n".join(lines)


def _write_cells(page: Page, counts: Array, shares: Array, columns: Array, rows: Array) -> None:
    """Write count and share into each cell that has images; the centres of ``columns`` and ``rows`` are in inches."""
    size = 8 if len(counts) <= 15 else 6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            text = f"{count}\n{share:.0%}" if share >= 0.005 else f"{count}"
            colour = "white" if share > 0.4 else "black"
            page.write(
                float(columns[column]), float(rows[row]), text, size=size, color=colour, ha="center", va="center"
            )


def draw_mistakes(images: Pixels, predictions: Predictions) -> Figure:
    """Draw the most confident mistakes with true class, predicted class and its probability.

    ``images`` are the raw images of shape (n, height, width, channels), or sequences of (n, length, channels).
    """
    mistakes = predictions.mistakes()
    shown = mistakes[:_GALLERY]
    return draw_gallery(
        [images[index] for index in shown],
        [describe_mistake(predictions, index) for index in shown],
        pixel_range=extremes(images),
        title=f"{len(mistakes)} of {len(predictions.labels)} wrong, most confident first",
    )


def describe_mistake(predictions: Predictions, index: int) -> str:
    """Return true class, predicted class and its probability in two lines."""
    true, guess = (predictions.class_names[i] for i in (predictions.labels[index], predictions.predicted[index]))
    return f"true: {true}\nsays: {guess} ({predictions.probabilities[index].max():.0%})"
