"""Pixel scaling, fitted on the training images alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.image_set import Array


@dataclass(frozen=True)
class Scaling:
    """``pixel * factor + offset``, one pair a channel."""

    factor: tuple[float, ...]
    offset: tuple[float, ...]


def fit_scaling(kind: str, images: Array) -> Scaling:
    """Fit the scaling ``zero_one`` or ``standard`` on training images of shape (n, ..., channels).

    ``zero_one`` takes 0..255 for whole pixels, and the least and greatest value found for others.
    """
    n_channels = images.shape[-1]
    if kind == "standard":
        flat = images.reshape(-1, n_channels)
        mean = flat.mean(axis=0, dtype=np.float64)
        deviation = np.maximum(flat.std(axis=0, dtype=np.float64), 1e-6)
        return Scaling(tuple((1 / deviation).tolist()), tuple((-mean / deviation).tolist()))
    low, high = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    factor = 1 / max(high - low, 1e-6)
    return Scaling((factor,) * n_channels, (-low * factor,) * n_channels)
