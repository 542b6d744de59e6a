"""Split images into training and validation: every class on both sides, duplicates on the same side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.image_set import Array
from pipeline.data.image_source import ImageSource
from pipeline.errors import DataError


@dataclass(frozen=True, eq=False)
class Partition:
    """Indices of the training and of the validation images, each in ascending order."""

    train: Array
    validation: Array


def make_partition(source: ImageSource, *, seed: int, validation_share: float | None = None) -> Partition:
    """Set validation images apart: those that the data set itself sets apart, else a stratified sample.

    The sample is ``validation_share`` of the images, by default a tenth; of less than 10,000 images it is 1,000, but no
    more than a fifth.

    Raises:
        DataError: there are too few images to have every class on both sides.
    """
    from sklearn.model_selection import train_test_split

    if source.given_validation is not None:
        return Partition(np.setdiff1d(np.arange(len(source.labels)), source.given_validation), source.given_validation)
    images, labels = _distinct(source)
    n_images, n_classes = len(labels), len(source.class_names)
    share = min(0.2, max(0.1, 1000 / n_images)) if validation_share is None else validation_share
    n_validation = max(round(n_images * share), n_classes)
    if n_images - n_validation < n_classes:
        raise DataError(
            f"{source.source}: {n_classes} classes need {n_classes} different images or more on each side of the "
            f"split, got {n_images} with {n_validation} of them for validation; add images, or lower "
            "--validation-share"
        )
    train, validation = train_test_split(
        np.arange(n_images), test_size=n_validation, random_state=seed, stratify=labels
    )
    train, validation = _with_every_class(labels, train, validation)
    return Partition(_with_duplicates(source, images[train]), _with_duplicates(source, images[validation]))


def make_folds(source: ImageSource, *, n_folds: int, seed: int) -> tuple[Partition, ...]:
    """Return ``n_folds`` stratified partitions whose validation parts share no image and cover all.

    Raises:
        DataError: a class has fewer different images than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    images, labels = _distinct(source)
    counts = np.bincount(labels, minlength=len(source.class_names))
    if counts.min() < n_folds:
        raise DataError(
            f"{source.source}: {n_folds} folds need as many different images of every class, got {counts.min()} of "
            f"'{source.class_names[counts.argmin()]}'; use fewer folds, or add images"
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(images, labels)
    return tuple(
        Partition(_with_duplicates(source, images[train]), _with_duplicates(source, images[held_out]))
        for train, held_out in folds
    )


def _distinct(source: ImageSource) -> tuple[Array, Array]:
    """Return the index of one image of each group of duplicates, and its label."""
    if source.groups is None:
        return np.arange(len(source.labels)), source.labels
    first = np.sort(np.unique(source.groups, return_index=True)[1])
    return first, source.labels[first]


def _with_duplicates(source: ImageSource, images: Array) -> Array:
    """Return ``images`` and all of their duplicates in ascending order."""
    if source.groups is None:
        return np.sort(images)
    return np.flatnonzero(np.isin(source.groups, source.groups[images]))


def _with_every_class(labels: Array, train: Array, validation: Array) -> tuple[Array, Array]:
    """Move one image of each class that a side lacks, because of rounding, to that side."""
    to_validation, to_train = _lacking(labels, train, validation), _lacking(labels, validation, train)
    train = np.union1d(np.setdiff1d(train, to_validation), to_train)
    validation = np.union1d(np.setdiff1d(validation, to_train), to_validation)
    return train, validation


def _lacking(labels: Array, rich: Array, short: Array) -> Array:
    """Return one index of ``rich`` for each class that ``short`` lacks."""
    classes, first = np.unique(labels[rich], return_index=True)
    return rich[first[~np.isin(classes, labels[short])]]
