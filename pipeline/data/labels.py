"""Labels as they stand in a data set, checked and made to numbers of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

Labels = npt.NDArray[Any]

_TOO_MANY = 2**31  # classes: their numbers are kept in 32 bits


def class_numbers(source: str, name: str, labels: Labels, *, n_images: int) -> Labels:
    """Return the labels called ``name``, one for each of ``n_images``, as whole numbers from 0, shape (n,).

    One-hot labels become integers.

    Raises:
        DataError: a wrong shape or type, NaN, fractions or negative numbers.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim not in (1, 2) or len(labels) != n_images:
        raise DataError(
            f"{source}: {name} must have one label per image, shape ({n_images},) or one-hot ({n_images}, classes), "
            f"got {labels.shape}; align it with the images"
        )
    if labels.dtype.kind not in "buif":
        raise DataError(f"{source}: {name} must hold whole numbers, got {labels.dtype}; number the classes from 0")
    if labels.ndim == 2:
        return _from_one_hot(source, name, labels)
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        numbers = labels.astype(np.float64)
    unfit = labels[~np.isfinite(numbers) | (numbers < 0) | (numbers != np.floor(numbers)) | (numbers >= _TOO_MANY)]
    if len(unfit):
        raise DataError(f"{source}: {name} must hold whole numbers from 0, got {unfit[0]}; number the classes from 0")
    return labels.astype(np.int64)


def _from_one_hot(source: str, name: str, labels: Labels) -> Labels:
    if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
        raise DataError(f"{source}: one-hot {name} must hold a single 1 in each row; encode it again")
    numbers: Labels = labels.argmax(axis=1)
    return numbers


def check_known(source: str, name: str, numbers: Labels, class_names: tuple[str, ...]) -> None:
    """Check that the labels called ``name`` are numbers of the classes.

    Raises:
        DataError: one is not.
    """
    n_classes = len(class_names)
    if numbers.max() >= n_classes:
        raise DataError(
            f"{source}: {name} must lie between 0 and {n_classes - 1} ({n_classes} classes), got {numbers.max()}; "
            "correct the labels or the class names"
        )
