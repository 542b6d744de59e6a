"""From the ``dataset`` setting to the images that a study trains and validates on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.named import NAMES, load_named
from pipeline.data.npz import read_training_images
from pipeline.errors import DataError, did_you_mean


@dataclass(frozen=True, eq=False)
class Split:
    """The images that networks are fitted on, and those that choose between networks."""

    train: ImageSet
    validation: ImageSet
    digest: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""
        return self.train.class_names


def dataset_name(dataset: str) -> str:
    """Return the short name of a data set: its own, or that of its file."""
    return dataset if dataset in NAMES else Path(dataset).stem


def load_training_images(dataset: str, data_dir: Path) -> ImageSet:
    """Return the training images of a named data set or of an ``.npz`` file.

    Raises:
        DataError: the name is unknown, or the data cannot be used.
    """
    if dataset in NAMES:
        return load_named(dataset, data_dir)
    path = Path(dataset).expanduser()
    if path.suffix != ".npz":
        raise DataError(
            f"dataset must be one of {', '.join(NAMES)}, or the path of an .npz file, got '{dataset}'; "
            f"{did_you_mean(dataset, NAMES)}"
        )
    if not path.is_file():
        raise DataError(f"dataset '{path}' is no file; check the path")
    return read_training_images(path, name=path.stem)


def split(images: ImageSet, *, seed: int) -> Split:
    """Split into training and validation images, with every class in its share, and at least once, on both sides.

    The validation part is a tenth, and more for small sets: up to a fifth, or 1,000 images.

    Raises:
        DataError: too few images to have every class on both sides.
    """
    from sklearn.model_selection import train_test_split

    n_images, n_classes = len(images.labels), len(images.class_names)
    n_validation = round(n_images * min(0.2, max(0.1, 1000 / n_images)))
    n_validation = max(n_validation, n_classes)
    if n_images - n_validation < n_classes:
        raise DataError(
            f"{images.source}: at least {2 * n_classes} training images are needed for {n_classes} classes, "
            f"got {n_images}; add images"
        )
    train, validation = train_test_split(
        np.arange(n_images), test_size=n_validation, random_state=seed, stratify=images.labels
    )
    train, validation = _with_every_class(images.labels, train, validation)
    return Split(images.subset(train), images.subset(validation), images.digest())


def _with_every_class(labels: Array, train: Array, validation: Array) -> tuple[Array, Array]:
    """Move an image of each class that rounding left out of one side there, and sort both."""
    to_validation, to_train = _lacking(labels, train, validation), _lacking(labels, validation, train)
    train = np.union1d(np.setdiff1d(train, to_validation), to_train)
    validation = np.union1d(np.setdiff1d(validation, to_train), to_validation)
    return train, validation


def _lacking(labels: Array, rich: Array, short: Array) -> Array:
    """Return one index of ``rich`` for each class that ``short`` lacks."""
    classes, first = np.unique(labels[rich], return_index=True)
    return rich[first[~np.isin(classes, labels[short])]]
