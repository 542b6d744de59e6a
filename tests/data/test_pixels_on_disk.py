"""Images that are too large for memory stay on disk, and give what the same images in memory give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import BboxImage
from pictures import load, write_classes

from pipeline.data.augmentation import make_augmentation
from pipeline.data.batches import epoch_variable, images_at_once, training_batches, validation_batches
from pipeline.data.image_set import ImageSet
from pipeline.data.partition import make_partition
from pipeline.data.pixels import StoredPixels
from pipeline.data.scaling import fit_scaling
from pipeline.data.source import Split, TrainingData
from pipeline.evaluation.figures import draw_mistakes
from pipeline.evaluation.scores import Predictions, predict
from pipeline.knobs.table import complete


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Split]:
    """Return the same split in memory and on disk."""
    root = write_classes(tmp_path_factory.mktemp("disk") / "photos")
    in_memory, on_disk = (split_of(root, most_bytes_in_memory=bound) for bound in (10**9, 1000))
    return in_memory, on_disk


def split_of(root: Path, *, most_bytes_in_memory: int) -> Split:
    images = load(root, most_bytes_in_memory=most_bytes_in_memory)
    return TrainingData(images, make_partition(images, seed=0), 0).at(16)


def test_large_images_stay_on_disk_through_the_split(splits: tuple[Split, Split]) -> None:
    in_memory, on_disk = splits

    for there, here in ((on_disk.train, in_memory.train), (on_disk.validation, in_memory.validation)):
        assert isinstance(here.images, np.ndarray)
        assert isinstance(there.images, StoredPixels)
        assert isinstance(there.images.array, np.memmap)
        assert not there.images.array.flags.writeable
        assert (there.images.shape, there.images.dtype) == (here.images.shape, here.images.dtype)
        assert len(there.images) == len(here.images)


@pytest.mark.parametrize("index", [3, slice(2, 9), slice(None), np.array([5, 1, 5])])
def test_images_on_disk_are_read_by_index(splits: tuple[Split, Split], index: object) -> None:
    here, there = (split.train.images for split in splits)

    read = there[index]  # type: ignore[index]

    assert type(read) is np.ndarray
    assert np.array_equal(read, here[index])  # type: ignore[index]


def test_part_of_images_on_disk_stays_there(splits: tuple[Split, Split]) -> None:
    here, there = (split.train.subset(np.array([7, 0, 3])).subset(np.array([2, 0])) for split in splits)

    assert isinstance(there.images, StoredPixels)
    assert np.array_equal(there.images[:], here.images)
    assert np.array_equal(there.labels, here.labels)
    assert there.digest() == here.digest()


def _of_epoch(batches: Any, epoch: Any, number: int) -> list[Any]:
    epoch.assign(number)
    return list(batches.as_numpy_iterator())


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_training_batches_are_the_same(splits: tuple[Split, Split], augmentation: str) -> None:
    changes = make_augmentation(complete({"augmentation": augmentation}))

    def epochs(images: ImageSet) -> list[tuple[np.ndarray, np.ndarray]]:
        epoch = epoch_variable()
        batches = training_batches(
            images, n_outputs=len(images.class_names), batch_size=5, augmentation=changes, label_smoothing=0.1,
            class_weights=False, seed=3, epoch=epoch,
        )  # fmt: skip
        assert batches.element_spec[0].shape.as_list() == [5, 16, 16, 3]
        return [batch for number in (1, 2) for batch in _of_epoch(batches, epoch, number)]

    here, there = (epochs(split.train) for split in splits)

    assert len(here) == len(there) > 4
    for (pixels, labels), (stored, stored_labels) in zip(here, there, strict=True):
        assert np.array_equal(pixels, stored)
        assert np.array_equal(labels, stored_labels)


def test_validation_batches_are_the_same(splits: tuple[Split, Split]) -> None:
    here, there = (
        list(validation_batches(split.validation, n_outputs=2, batch_size=3).as_numpy_iterator()) for split in splits
    )

    for batch, stored in zip(here, there, strict=True):
        assert np.array_equal(batch[0], stored[0])
        assert np.array_equal(batch[1], stored[1])


@pytest.mark.parametrize("kind", ["zero_one", "standard"])
def test_scaling_is_the_same(splits: tuple[Split, Split], kind: str) -> None:
    here, there = (fit_scaling(kind, split.train.images) for split in splits)

    assert here == there


def test_standard_scaling_of_many_images_is_that_of_all_at_once() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2500, 4, 4, 3), np.uint8)
    flat = images.reshape(-1, 3).astype(np.float64)

    scaling = fit_scaling("standard", images)

    np.testing.assert_allclose(scaling.factor, 1 / flat.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaling.offset, -flat.mean(axis=0) / flat.std(axis=0), rtol=1e-12)


def test_network_says_and_gallery_shows_the_same(splits: tuple[Split, Split]) -> None:
    import keras

    network = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)])
    answers: list[Predictions] = []
    figures = []
    for split in splits:
        images = split.validation
        wrong = 1 - images.labels
        answers.append(predict(network, images.images, images.labels, images.class_names))
        shown = Predictions(np.eye(2)[wrong], images.labels, images.class_names)
        figures.append(draw_mistakes(images.images, shown))
    pictures = [[image.get_array() for image in figure.findobj(BboxImage)] for figure in figures]

    assert np.array_equal(answers[0].probabilities, answers[1].probabilities)
    assert len(pictures[0]) == len(pictures[1]) > 3
    assert all(np.array_equal(*pair) for pair in zip(*pictures, strict=True))


@pytest.mark.parametrize(
    ("input_shape", "n_images"), [((32, 32, 3), 500), ((8, 8, 1), 500), ((96, 96, 3), 113), ((1000, 1000, 3), 16)]
)
def test_fewer_large_images_are_taken_at_once(input_shape: tuple[int, ...], n_images: int) -> None:
    assert images_at_once(input_shape) == n_images
