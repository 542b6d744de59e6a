"""What all figures share: a canvas without a window, pages in inches, plain scales, galleries of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, Bbox, TransformedBbox

from pipeline.data.image_set import Array

PLAIN: dict[str, Any] = {"parse_math": False}  # a '$' in a class name is no formula
MAX_CLASSES_WITH_NUMBERS = 25  # in the cells of a confusion matrix: beyond, they cannot be read
_COLUMNS = 6
_PANEL, _PITCH, _LINE = 1.6, 1.8, 0.15  # inches: the side of an image, from one to the next, a line of a caption


def make_figure(width: float, height: float) -> Figure:
    """Return a figure in inches that belongs to no window and needs no closing."""
    figure = Figure(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    return figure


class Page:
    """A figure that is drawn on in inches from its top left corner.

    It has no axes: their ticks take longer than all else in the figures that every training draws.
    """

    def __init__(self, width: float, height: float) -> None:
        """Take a blank page of so many inches."""
        self.figure = make_figure(width, height)
        self._inches = Affine2D().scale(1, -1).translate(0, height) + self.figure.dpi_scale_trans

    def write(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write a text, aligned as Matplotlib's ``options`` say."""
        self.figure.text(x, y, text, transform=self._inches, **PLAIN, **options)

    def frame(self, box: tuple[float, float, float, float]) -> None:
        """Draw a thin frame around a box of left, top, width, height."""
        left, top, width, height = box
        self._add(Rectangle((left, top), width, height, fill=False, lw=0.8, transform=self._inches))

    def image(self, box: tuple[float, float, float, float], pixels: Array, **options: Any) -> None:
        """Draw pixels so that they fill a box of left, top, width, height."""
        left, top, width, height = box
        place = Bbox(((left, top), (left + width, top + height)))
        image = BboxImage(TransformedBbox(place, self._inches), **options)
        image.set_data(pixels)
        self._add(image)

    def line(self, xs: Array, ys: Array, **options: Any) -> None:
        """Draw a line through points."""
        self._add(Line2D(xs, ys, transform=self._inches, **options))

    def _add(self, artist: Artist) -> None:
        self.figure.add_artist(artist)


def draw_scales(axes: Axes, *, whole_x: bool) -> None:
    """Draw frame, grid and numbers of axes in place of their own, which are slow; along x the numbers are ``whole_x``.

    Their limits are those of what was drawn before.
    """
    axes.set_axis_off()
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    columns, rows = _round_numbers(left, right, whole=whole_x), _round_numbers(bottom, top)
    axes.vlines(columns, bottom, top, color="0.85", lw=0.8, zorder=0)
    axes.hlines(rows, left, right, color="0.85", lw=0.8, zorder=0)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, lw=0.8, transform=axes.transAxes, clip_on=False))
    for x in columns:
        axes.text(x, -0.02, f"{x:g}", transform=axes.get_xaxis_transform(), ha="center", va="top", **PLAIN)
    for y in rows:
        axes.text(-0.01, y, f"{y:g}", transform=axes.get_yaxis_transform(), ha="right", va="center", **PLAIN)


def _round_numbers(low: float, high: float, *, whole: bool = False) -> list[float]:
    numbers = MaxNLocator(7, integer=whole, min_n_ticks=1).tick_values(low, high)
    return [float(number) for number in numbers if low <= number <= high]


def draw_gallery(
    images: Sequence[Array], captions: Sequence[str], *, pixel_range: tuple[float, float], title: str
) -> Figure:
    """Draw images, or sequences, six in a row with a caption of two lines or three each; ``title`` stands above."""
    n_rows = max(1, -(-len(images) // _COLUMNS))
    n_lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    head, row = 0.35 + _LINE * (title.count("\n") + 1) + _LINE * n_lines, _PITCH + _LINE * n_lines
    page = Page(_COLUMNS * _PITCH, head + n_rows * row - _LINE * n_lines)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = 0.1 + number % _COLUMNS * _PITCH, head + number // _COLUMNS * row
        _draw_image(page, image, left, top, pixel_range)
        page.write(left + _PANEL / 2, top - 0.05, caption, ha="center", va="bottom", fontsize=8)
    page.write(_COLUMNS * _PITCH / 2, 0.1, title, ha="center", va="top", fontsize=10)
    return page.figure


def _draw_image(page: Page, image: Array, left: float, top: float, pixel_range: tuple[float, float]) -> None:
    """Draw one image, or a sequence as lines, into a square of a gallery; ``pixel_range`` is black and white."""
    if image.ndim == 2:
        _draw_sequence(page, image, left, top)
        return
    low, high = pixel_range
    shares = np.clip((image[..., :3].astype(float) - low) / max(high - low, 1e-9), 0, 1)
    colours = shares if shares.shape[-1] == 3 else np.repeat(shares[..., :1], 3, axis=-1)
    height, width = (_PANEL * side / max(image.shape[:2]) for side in image.shape[:2])
    page.image((left + (_PANEL - width) / 2, top + (_PANEL - height) / 2, width, height), colours)


def _draw_sequence(page: Page, sequence: Array, left: float, top: float) -> None:
    """Draw the channels of a sequence as lines, between the lowest and the highest value of them."""
    low, high = float(sequence.min()), float(sequence.max())
    times = left + np.linspace(0, _PANEL, len(sequence))
    for number, values in enumerate(sequence.T):
        heights = (high - values.astype(float)) / max(high - low, 1e-9)
        page.line(times, top + _PANEL * heights, lw=0.8, color=f"C{number}")
