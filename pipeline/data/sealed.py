"""The sealed test part of a data set. Only this module opens it, and only promotion may import this module."""

from __future__ import annotations

from pipeline.data.image_source import ImageSource, make_array_source
from pipeline.data.named import NAMES, load_named
from pipeline.data.npz import read_npz
from pipeline.paths import user_path
from pipeline.settings import DataSettings


def open_test_images(settings: DataSettings, training: ImageSource) -> ImageSource:
    """Open the test images of the data set whose ``training`` images were loaded with the same settings.

    The caller must record the opening first: from here on the test images count as seen.

    Raises:
        DataError: the test images break a rule.
    """
    dataset = settings.dataset
    if training.open_sealed is not None:
        return training.open_sealed()
    if dataset in NAMES:
        return make_array_source(load_named(dataset, settings.data_dir, part="test"))
    path = user_path(dataset)
    return make_array_source(read_npz(path, part="test", name=training.name, class_names=training.class_names))
