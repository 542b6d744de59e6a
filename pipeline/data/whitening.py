"""Patch whitening, fitted on the training images alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels, take
from pipeline.data.scaling import Scaling

PATCH_SIDE = 2
_MOST_PATCHES = 2**20
_LEAST_SHARE = 5e-4  # of the mean variance, added to each: directions that hardly vary are not blown up
_LEAST_VARIANCE = 1e-6  # the mean variance where all pixels have one value


@dataclass(frozen=True, eq=False)
class Whitening:
    """A convolution of 2x2 patches whose outputs are uncorrelated, of mean 0 and variance 1, and their negatives.

    ``kernel`` has the shape (2, 2, channels, filters), for sequences (2, channels, filters); ``bias`` (filters,).
    """

    kernel: Array
    bias: Array


def n_whitening_filters(input_shape: tuple[int, ...]) -> int:
    """Return the filters of the whitening of images: twice the numbers of a patch."""
    return int(2 * PATCH_SIDE ** (len(input_shape) - 1) * input_shape[-1])


def fit_whitening(images: Pixels, scaling: Scaling) -> Whitening:
    """Fit the whitening of scaled training images of shape (n, ..., channels), on a million of their patches.

    The filters are the eigenvectors of the patches' covariance, each divided by the square root of its eigenvalue.
    After Page, "How to train your ResNet 8: bag of tricks", 2019, and airbench (Jordan, "94% on CIFAR-10 in 3.29
    seconds on a single GPU", 2024).
    """
    patches = _patches(_sample(images) * scaling.factor + scaling.offset)
    variances, directions = np.linalg.eigh(np.cov(patches, rowvar=False, ddof=0))
    least = _LEAST_SHARE * max(variances.mean(), _LEAST_VARIANCE)
    filters = directions / np.sqrt(np.maximum(variances, 0) + least)
    both = np.concatenate([filters, -filters], axis=1)
    n_axes = len(images.shape) - 2
    kernel = both.reshape(*(PATCH_SIDE,) * n_axes, images.shape[-1], -1)
    return Whitening(kernel.astype(np.float32), (-patches.mean(axis=0) @ both).astype(np.float32))


def _sample(images: Pixels) -> Array:
    """Return evenly spaced images, as many as have a million patches."""
    n_images = max(1, min(len(images), _MOST_PATCHES // math.prod(images.shape[1:-1])))
    chosen = np.linspace(0, len(images) - 1, n_images).astype(int)
    return np.asarray(take(images, chosen)[:], np.float64)


def _patches(images: Array) -> Array:
    """Return all patches, flat, in the order of a kernel's numbers: shape (n_patches, 2 * 2 * channels)."""
    n_positions = [side - PATCH_SIDE + 1 for side in images.shape[1:-1]]
    shifted = []
    for corner in itertools.product(range(PATCH_SIDE), repeat=len(n_positions)):
        window = (slice(start, start + n) for start, n in zip(corner, n_positions, strict=True))
        shifted.append(images[:, *window])
    return np.stack(shifted, axis=-2).reshape(-1, len(shifted) * images.shape[-1])
