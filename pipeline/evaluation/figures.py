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
from pipeline.evaluation.canvas import MAX_CLASSES_WITH_NUMBERS, PLAIN, draw_gallery, make_figure
from pipeline.evaluation.scores import Predictions
from pipeline.training.result import Epoch, mean_curve

_TRAIN, _VALIDATION = "#1f77b4", "#d95f02"
_LISTED_CONFUSIONS = 30
_GALLERY = 24


def draw_curves(curves: Sequence[Sequence[Epoch]], best_epoch: Epoch) -> Figure:
    """Draw accuracy and loss of training and validation, if there was any, over the epochs, the best epoch marked.

    Of several folds each is a thin line, and their mean, as far as all of them go, the bold one; ``best_epoch`` is the
    mean of their best.
    """
    figure = make_figure(10, 4)
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.13, top=0.91, wspace=0.16)
    of_folds = f", mean of {len(curves)} folds" if len(curves) > 1 else ""
    best = "best epochs: median {}, mean {:.4f}" if of_folds else "best epoch: {} ({:.4f})"
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        _draw_curve(axes, curves, name, color=_TRAIN, label=f"training{of_folds}")
        if best_epoch.is_validated:
            _draw_curve(axes, curves, f"val_{name}", color=_VALIDATION, label=f"validation{of_folds}")
            label = best.format(best_epoch.number, getattr(best_epoch, f"val_{name}"))
            axes.axvline(best_epoch.number, color="0.6", lw=1, ls="--", label=label)
        axes.set(xlabel="epoch", title=name.capitalize())
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=9)
    return figure


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
    figure = make_figure(margin + grid + (1.1 if has_numbers else 5.0), margin + grid + 0.5)
    width, height = figure.get_size_inches()
    axes = figure.add_axes((margin / width, margin / height, grid / width, grid / height))
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.6, 0, 1))
    bar = figure.add_axes(((margin + grid + 0.12) / width, margin / height, 0.18 / width, grid / height))
    figure.colorbar(picture, cax=bar, label="share of the true class")
    axes.set_xticks(range(n_classes), list(table.columns), rotation=90 if longest > 3 else 0, fontsize=size, **PLAIN)
    axes.set_yticks(range(n_classes), list(table.index), fontsize=size, **PLAIN)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    axes.set(xlabel="predicted", ylabel="true", title=f"{accuracy:.2%} of {counts.sum():,} images right")
    if has_numbers:
        _write_cells(axes, counts, shares)
    else:
        place = ((margin + grid + 1.2) / width, (margin + grid) / height)
        figure.text(*place, _frequent_confusions(table, shares), va="top", fontsize=11, linespacing=1.6, **PLAIN)
    return figure


def _frequent_confusions(table: pd.DataFrame, shares: Array) -> str:
    counts = table.to_numpy() * (1 - np.eye(len(table), dtype=int))
    rows, columns = np.unravel_index(np.argsort(-counts, axis=None, kind="stable")[:_LISTED_CONFUSIONS], counts.shape)
    lines = ["Most frequent confusions", "(true -> predicted: count, share)", ""]
    for row, column in zip(rows, columns, strict=True):
        if counts[row, column]:
            names = f"{table.index[row]} -> {table.columns[column]}"
            lines.append(f"{names}: {counts[row, column]}, {shares[row, column]:.0%}")
    return "\n".join(lines)


def _write_cells(axes: Axes, counts: Array, shares: Array) -> None:
    size = 8 if len(counts) <= 15 else 6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            text = f"{count}\n{share:.0%}" if share >= 0.005 else f"{count}"
            colour = "white" if share > 0.4 else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


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
