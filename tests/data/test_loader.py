"""Loaders: the images of the input pipeline, also where XLA compiles them, and on the device that they are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.data.augmentation import Augmentation, make_augmentation
from pipeline.data.batches import epoch_variable, training_batches, validation_batches
from pipeline.data.image_set import Array, ImageSet, make_image_set
from pipeline.data.loader import make_loader
from pipeline.data.pixels import Copies, StoredPixels
from pipeline.knobs.table import KNOBS, complete

PRESETS = {kind: make_augmentation(complete({"augmentation": kind})) for kind in KNOBS["augmentation"].choices}
RESAMPLING = {
    "rotation": Augmentation(rotation_degrees=10.0),
    "shear": Augmentation(shear_degrees=10.0, horizontal_flip=True),
    "zoom": Augmentation(zoom=0.1),
}


@pytest.fixture(params=[(32, 16, 3), (40, 2)], ids=["images", "sequences"])
def images(request: pytest.FixtureRequest) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (30, *request.param), dtype=np.uint8)
    return make_image_set(name="noise", source="noise", images=pixels, labels=np.arange(30) % 3)


def compiled(loader: Any) -> Any:
    import tensorflow as tf

    return tf.function(lambda indices, seed: loader(indices, seed), jit_compile=True)


def load(loader: Any, indices: Array, seed: tuple[int, int] = (1, -2)) -> Array:
    import tensorflow as tf

    return np.asarray(loader(tf.constant(indices), tf.constant(seed)))


def test_loader_without_augmentation_gathers(images: ImageSet) -> None:
    places = np.array([7, 0, 7])

    assert np.array_equal(load(make_loader(images), places), images.subset(places).images)


def test_training_draws_a_copy_of_each_image_and_validation_takes_the_first() -> None:
    values = 10 * np.arange(30)[:, None] + np.arange(5)  # of image 7: 70, 71, 72, 73, 74
    copies = Copies(np.stack([values, -values], axis=-1).astype(np.float32))
    features = ImageSet("noise", "noise", copies, np.arange(30, dtype=np.int32) % 3, ("a", "b", "c"))
    places = np.repeat(np.array([7, 0, 12]), 100)

    loader = make_loader(features, PRESETS["shifts"])
    drawn = load(loader, places)

    assert features.input_shape == drawn.shape[1:] == (2,)
    assert set(drawn[:100, 0]) == {70, 71, 72, 73, 74}
    assert set(drawn[200:, 0]) == {120, 121, 122, 123, 124}
    assert np.array_equal(drawn[:, 1], -drawn[:, 0])
    assert np.array_equal(load(compiled(loader), places), drawn)
    assert not np.array_equal(load(loader, places, (1, 3)), drawn)
    assert np.array_equal(load(make_loader(features), places)[:, 0], 10 * places)
    assert np.array_equal(features.subset(places).images[:2][:, 0], [70, 70])


@pytest.mark.parametrize("kind", PRESETS)
def test_xla_makes_the_images_of_every_preset(kind: str, images: ImageSet) -> None:
    loader, places = make_loader(images, PRESETS[kind]), np.array([3, 1, 4, 1, 5, 9, 2, 6])

    plain, by_xla = load(loader, places), load(compiled(loader), places)

    assert loader.is_compilable
    assert by_xla.dtype == plain.dtype == np.uint8
    difference = np.abs(by_xla.astype(int) - plain)
    assert difference.max() <= (kind == "heavy"), "a mean of floats may be rounded in another way, nothing else"
    assert (difference > 0).mean() < 0.001


def test_xla_makes_images_of_another_brightness(images: ImageSet) -> None:
    loader = make_loader(images, Augmentation(brightness=0.3))

    difference = np.abs(load(compiled(loader), np.arange(8)).astype(int) - load(loader, np.arange(8)))

    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("kind", RESAMPLING)
def test_loader_that_resamples_says_that_xla_takes_it_for_sequences_alone(kind: str, images: ImageSet) -> None:
    is_sequence = len(images.input_shape) == 2

    assert make_loader(images, RESAMPLING[kind]).is_compilable is (is_sequence and kind != "zoom")


def test_loader_of_images_on_disk_says_that_xla_does_not_take_it(images: ImageSet) -> None:
    assert isinstance(images.images, np.ndarray)
    stored = ImageSet(**{**vars(images), "images": StoredPixels(images.images, np.arange(30))})

    assert not make_loader(stored).is_compilable


def test_loader_makes_the_training_images_of_batches_that_do_not_load(images: ImageSet) -> None:
    loader, made = make_loader(images, PRESETS["heavy"]), []
    common: dict[str, Any] = {
        "n_outputs": 3, "batch_size": 8, "augmentation": PRESETS["heavy"], "label_smoothing": 0.1, "seed": 5,
        "class_weights": True, "epoch": epoch_variable(),
    }  # fmt: skip
    whole = list(training_batches(images, **common))
    for (indices, seed), targets, weights in training_batches(images, **common, loads=False):
        made.append((loader(indices, seed), targets, weights))

    assert len(made) == len(whole) == 3
    for one, other in zip(made, whole, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_loader_makes_the_validation_images_of_batches_that_do_not_load(images: ImageSet) -> None:
    loader = make_loader(images)
    found = [
        (loader(*parts), targets)
        for parts, targets in validation_batches(images, n_outputs=3, batch_size=20, loads=False)
    ]

    assert [len(pixels) for pixels, _ in found] == [20, 10]
    assert np.array_equal(np.concatenate([pixels for pixels, _ in found]), images.images)
