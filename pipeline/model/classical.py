"""The classical model: kernel discriminant analysis on flattened images; it fits 50,000 of them in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.pixels import Pixels, in_parts

_PRINCIPAL_COMPONENTS = 60
_LANDMARKS = 2000
_KERNEL_WIDTH = 0.7  # of the radial kernel, in units of 1 / variance of the images
_SHRINKAGE = 1e-4
MOST_IMAGES = 60_000  # more improve little, and their kernel features would not fit into memory
_IMAGES_FOR_COMPONENTS = 5_000


def fit_classical(images: ImageSet, *, seed: int) -> Any:
    """Return a fitted scikit-learn pipeline that takes raw images of shape (n, ...).

    Principal components, the radial kernel by the Nystroem method (Williams and Seeger 2001), linear discriminant
    analysis with shrinkage: every step is solved in closed form.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    sample = images.subset(_sample(images, seed))
    n_pixels = int(np.prod(images.input_shape))
    flatten = FunctionTransformer(np.reshape, kw_args={"shape": (-1, n_pixels)})
    n_components = min(_PRINCIPAL_COMPONENTS, n_pixels, len(sample.labels))
    flat = flatten.transform(sample.images[:_IMAGES_FOR_COMPONENTS]).astype(np.float32)
    components = PCA(n_components, random_state=seed).fit(flat)
    parts = (flatten.transform(part).astype(np.float32) for part in in_parts(sample.images))
    reduced = np.concatenate([components.transform(part) for part in parts])
    width = _KERNEL_WIDTH / max(float(reduced.var(axis=0).sum()), 1e-12)
    kernel = Nystroem(gamma=width, n_components=min(_LANDMARKS, len(reduced)), random_state=seed).fit(reduced)
    classes = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE)
    classes.fit(kernel.transform(reduced).astype(np.float32), sample.labels)
    return Pipeline([("flatten", flatten), ("components", components), ("kernel", kernel), ("classes", classes)])


def _sample(images: ImageSet, seed: int) -> Array:
    """Return the indices of all images in random order, or of ``MOST_IMAGES`` of them."""
    return np.random.default_rng(seed).permutation(len(images.labels))[:MOST_IMAGES]


def predict_classical(model: Any, images: Pixels) -> Array:
    """Return probabilities of shape (n, classes) for raw images of shape (n, ...)."""
    return np.concatenate([model.predict_proba(part) for part in in_parts(images)])


def count_parameters(model: Any) -> int:
    """Return the number of fitted parameters."""
    parts = model.named_steps
    fitted = (parts["components"].components_, parts["kernel"].components_, parts["kernel"].normalization_)
    return sum(array.size for array in (*fitted, parts["classes"].coef_, parts["classes"].intercept_))
