"""What all figures share: a canvas without a window, single images, galleries of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.data.image_set import Array

PLAIN: dict[str, Any] = {"parse_math": False}  # a '$' in a class name is no formula
MAX_CLASSES_WITH_NUMBERS = 25  # in the cells of a confusion matrix: beyond, they cannot be read
_COLUMNS = 6


def make_figure(width: float, height: float) -> Figure:
    """Return a figure in inches that belongs to no window and needs no closing."""
    figure = Figure(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    return figure


def draw_gallery(
    images: Sequence[Array], captions: Sequence[str], *, pixel_range: tuple[float, float], title: str
) -> Figure:
    """Draw images, or sequences, six in a row with a caption of two lines or three each; ``title`` stands above."""
    n_rows = max(1, -(-len(images) // _COLUMNS))
    n_lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    head, row = 0.35 + 0.15 * (title.count("\n") + 1) + 0.15 * n_lines, 1.8 + 0.15 * n_lines
    height = head + n_rows * row
    figure = make_figure(_COLUMNS * 1.8, height)
    space = 0.15 * n_lines + 0.12
    figure.subplots_adjust(
        left=0.02, right=0.98, bottom=0.1 / height, top=1 - head / height, wspace=0.1,
        hspace=space / ((height - head - 0.1 - (n_rows - 1) * space) / n_rows),
    )  # fmt: skip
    panels = np.atleast_1d(figure.subplots(n_rows, _COLUMNS)).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, image, caption in zip(panels, images, captions, strict=False):
        draw_image(axes, image, pixel_range)
        axes.set_title(caption, fontsize=8, **PLAIN)
    figure.suptitle(title, fontsize=10, y=1 - 0.1 / height, va="top", **PLAIN)
    return figure


def draw_image(axes: Axes, image: Array, pixel_range: tuple[float, float]) -> None:
    """Draw one image, or a sequence as lines; ``pixel_range`` is black and white."""
    low, high = pixel_range
    if image.ndim == 2:
        axes.plot(image, lw=0.8)
    elif image.shape[-1] == 3:
        axes.imshow(np.clip((image.astype(float) - low) / max(high - low, 1e-9), 0, 1))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high)
