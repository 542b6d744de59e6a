"""The sealed test part of a data set. Only this module opens it, and only promotion may import this module."""

from __future__ import annotations

from typing import Protocol

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.image_source import ArrayImages, ImageSource
from pipeline.data.named import NAMES, load_named
from pipeline.data.npz import read_npz
from pipeline.data.photographs.folder import PhotographFolder
from pipeline.paths import user_path
from pipeline.settings import DataSettings


class TestImages(Protocol):
    """The test images of a data set, at any size."""

    @property
    def labels(self) -> Array:
        """Class numbers, shape (n,)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that change with any image or label."""

    def images_at(self, image_size: int) -> ImageSet:
        """Return all images as squares of ``image_size`` pixels a side; 0: as they are.

        Raises:
            DataError: they are not available at that size.
        """


def open_test_images(settings: DataSettings, training: ImageSource) -> TestImages:
    """Open the test images of the data set whose ``training`` images were loaded with the same settings.

    The caller must record the opening first: from here on the test images count as seen.

    Raises:
        DataError: the test images break a rule.
    """
    dataset = settings.dataset
    if dataset in NAMES:
        return ArrayImages(load_named(dataset, settings.data_dir, part="test"))
    if isinstance(training, PhotographFolder):
        return training.open_sealed()
    path = user_path(dataset)
    return ArrayImages(read_npz(path, part="test", name=training.name, class_names=training.class_names))
