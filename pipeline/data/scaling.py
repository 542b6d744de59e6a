"""Pixel scaling, fitted on the training images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels, extremes, extremes_per_channel, in_parts

_LEAST_SPAN = 1e-6  # the divisor where all pixels have one value


@dataclass(frozen=True)
class Scaling:
    """``pixel * factor + offset``, with a factor and an offset for each channel."""

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def is_identity(self) -> bool:
        """Whether pixels stay as they are."""
        return set(self.factor) == {1.0} and set(self.offset) == {0.0}


def fit_scaling(kind: str, images: Pixels) -> Scaling:
    """Fit the scaling that the knob ``scaling`` names on training images of shape (n, ..., channels).

    ``zero_one`` maps the pixel range to 0..1, ``min_max`` the least and greatest value of the whole array,
    ``min_max_per_channel`` those of each channel; ``standard`` gives each channel mean 0 and deviation 1.
    """
    if kind == "standard":
        mean = _mean(images, lambda flat: flat)
        return _from_origin(mean, np.sqrt(_mean(images, lambda flat: np.square(flat - mean))))
    if kind == "min_max_per_channel":
        low, high = extremes_per_channel(images)
    else:
        ends = extremes(images) if kind == "min_max" else pixel_range(images)
        low, high = (np.full(images.shape[-1], end, np.float64) for end in ends)
    return _from_origin(low, high - low)


def pixel_range(images: Pixels) -> tuple[float, float]:
    """Return the values of black and white: 0 and 255 for uint8, the least and the greatest pixel for float32."""
    return (0.0, 255.0) if images.dtype == np.uint8 else extremes(images)


def scale_to_bytes(images: Pixels) -> Scaling:
    """Fit the scaling of training images to 0..255, which backbones take; uint8 pixels stay as they are."""
    n_channels = images.shape[-1]
    if images.dtype == np.uint8:
        return Scaling((1.0,) * n_channels, (0.0,) * n_channels)
    unit = fit_scaling("zero_one", images)
    return Scaling(tuple(255 * factor for factor in unit.factor), tuple(255 * offset for offset in unit.offset))


def _from_origin(origin: Array, span: Array) -> Scaling:
    """Return the scaling that maps ``origin`` to 0 and ``origin + span`` to 1, given for each channel."""
    span = np.maximum(span, _LEAST_SPAN)
    return Scaling(tuple((1 / span).tolist()), tuple((-origin / span).tolist()))


def _mean(images: Pixels, of: Callable[[Array], Array]) -> Array:
    """Return the mean of a function of the pixels for each channel; images are read a part at a time."""
    n_channels = images.shape[-1]
    total = np.zeros(n_channels)
    for part in in_parts(images):
        total += of(part.reshape(-1, n_channels)).sum(axis=0, dtype=np.float64)
    return total / np.prod(images.shape[:-1])
