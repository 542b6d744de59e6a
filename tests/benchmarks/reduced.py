"""Reduced forms of named data sets: fewer and smaller images, so that two slow cores can compare searches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.image_set import Array
from pipeline.data.named import load_named
from pipeline.data.pixels import in_parts

N_IMAGES = 14_000
_SEED = 0  # of the sample: all repetitions search on the same images


def write_reduced(name: str, path: Path, *, data_dir: Path, n_images: int | None, factor: int) -> Path:
    """Write a named data set as an ``.npz`` to ``path``, unless it is there already, and return ``path``.

    It holds a stratified sample of ``n_images`` of the training images (None: all) and all test images, both averaged
    over squares of ``factor`` pixels.
    """
    if path.exists():
        return path
    train, test = (load_named(name, data_dir, part=part) for part in ("train", "test"))
    chosen = np.arange(len(train.labels)) if n_images is None else _stratified(train.labels, n_images)
    part = path.with_suffix(".part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        part, x_train=averaged(_array(train.subset(chosen).images), factor), y_train=train.labels[chosen],
        x_test=averaged(_array(test.images), factor), y_test=test.labels,
    )  # fmt: skip
    part.replace(path)
    return path


def averaged(images: Array, factor: int) -> Array:
    """Return uint8 images, shape (n, height, width, channels), with squares of ``factor`` pixels averaged to one."""
    n_images, height, width, channels = images.shape
    squares = images.reshape(n_images, height // factor, factor, width // factor, factor, channels)
    means: Array = np.rint(squares.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
    return means


def _stratified(labels: Array, n_images: int) -> Array:
    from sklearn.model_selection import train_test_split

    if n_images >= len(labels):
        return np.arange(len(labels))
    chosen, _ = train_test_split(np.arange(len(labels)), train_size=n_images, random_state=_SEED, stratify=labels)
    ordered: Array = np.sort(chosen)
    return ordered


def _array(pixels: object) -> Array:
    return np.concatenate(list(in_parts(pixels)))  # type: ignore[arg-type]
