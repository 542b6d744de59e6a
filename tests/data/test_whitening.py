"""Whitened patches are uncorrelated, of mean 0 and variance 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.pixels import StoredPixels
from pipeline.data.scaling import Scaling, fit_scaling
from pipeline.data.whitening import Whitening, fit_whitening, n_whitening_filters

UNSCALED = Scaling((1.0,), (0.0,))


def smooth(*shape: int) -> Any:
    """Return images whose neighbouring pixels are alike, as those of photographs."""
    noise = np.random.default_rng(0).normal(size=shape)
    for axis in range(1, len(shape) - 1):
        noise = noise.cumsum(axis=axis)
    return (128 + 30 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def whitened(whitening: Whitening, images: Any, scaling: Scaling) -> Any:
    """Return the outputs for all patches, shape (n, filters)."""
    scaled = images * scaling.factor + scaling.offset
    if images.ndim == 3:
        patches = np.stack([scaled[:, :-1], scaled[:, 1:]], axis=2)
    else:
        patches = np.stack(
            [scaled[:, :-1, :-1], scaled[:, :-1, 1:], scaled[:, 1:, :-1], scaled[:, 1:, 1:]], axis=3
        )  # fmt: skip
    n_filters = whitening.kernel.shape[-1]
    return (
        patches.reshape(-1, patches.shape[-2] * patches.shape[-1]) @ whitening.kernel.reshape(-1, n_filters)
        + whitening.bias
    )


@pytest.mark.parametrize("shape", [(50, 12, 12, 3), (80, 9, 14, 1), (200, 30, 2)])
@pytest.mark.parametrize("kind", ["zero_one", "standard"])
def test_whitened_patches_are_uncorrelated_and_of_unit_variance(shape: tuple[int, ...], kind: str) -> None:
    images = smooth(*shape)
    scaling = fit_scaling(kind, images)

    whitening = fit_whitening(images, scaling)

    half = n_whitening_filters(shape[1:]) // 2
    outputs = whitened(whitening, images, scaling)
    assert outputs.shape[1] == 2 * half
    np.testing.assert_allclose(outputs[:, :half], -outputs[:, half:], atol=1e-3)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    covariance = np.cov(outputs[:, :half], rowvar=False)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    assert np.diag(covariance).max() <= 1.001
    assert np.diag(covariance).min() > 0.3  # directions that hardly vary stay below 1


def test_images_on_disk_give_the_same_whitening(tmp_path: Path) -> None:
    images = smooth(30, 8, 8, 3)
    np.save(tmp_path / "images.npy", images)
    stored = StoredPixels(np.load(tmp_path / "images.npy", mmap_mode="r"), np.arange(30))

    np.testing.assert_array_equal(fit_whitening(stored, UNSCALED).kernel, fit_whitening(images, UNSCALED).kernel)


def test_images_of_one_colour_are_whitened_to_nothing() -> None:
    images = np.full((5, 6, 6, 1), 200, np.uint8)

    whitening = fit_whitening(images, fit_scaling("zero_one", images))

    np.testing.assert_allclose(whitened(whitening, images, fit_scaling("zero_one", images)), 0, atol=0.1)
