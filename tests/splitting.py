"""Images that a test has made, split as a data set is."""

from __future__ import annotations

from pipeline.data.image_set import ImageSet
from pipeline.data.image_source import make_array_source
from pipeline.data.partition import make_partition
from pipeline.data.source import Split, TrainingData


def as_data(images: ImageSet, *, seed: int = 0) -> TrainingData:
    """Return ``images`` as the training images of a data set."""
    source = make_array_source(images)
    return TrainingData(source, make_partition(source, seed=seed))


def split(images: ImageSet, *, seed: int = 0) -> Split:
    """Split ``images`` as they are."""
    return as_data(images, seed=seed).at(0)
