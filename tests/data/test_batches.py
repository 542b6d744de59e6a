"""Batches of training and validation images, and what augmentation does to them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.augmentation import make_augmentation
from pipeline.data.batches import steps_per_epoch, training_batches, validation_batches
from pipeline.data.image_set import Array, ImageSet, make_image_set
from pipeline.knobs.table import KNOBS

KINDS = [kind for kind in KNOBS["augmentation"].choices if kind != "none"]
SHAPES = [(8, 8, 1), (32, 16, 3), (40, 2)]


def noise(shape: tuple[int, ...], n_images: int = 40, dtype: type = np.uint8) -> Array:
    return np.random.default_rng(0).integers(0, 256, (n_images, *shape)).astype(dtype)


def augmented(kind: str, images: Array, seed: int = 1) -> Array:
    import tensorflow as tf

    augment = make_augmentation(kind, images.shape[1:])
    assert augment is not None
    return np.asarray(augment(tf.constant(images), tf.constant([seed, 2])))


def moved(image: Array, move: int, axis: int) -> Array:
    """Return the image moved by whole pixels along an axis, its edge repeated."""
    side = image.shape[axis]
    return np.take(image, np.clip(np.arange(side) + move, 0, side - 1), axis)


def shifts_of(image: Array, reaches: tuple[int, ...]) -> list[Array]:
    """Return the image in every place that shifts of at most ``reaches`` can bring it to."""
    places = [image]
    for axis, reach in enumerate(reaches):
        places = [moved(place, move, axis) for place in places for move in range(-reach, reach + 1)]
    return places


def is_among(image: Array, candidates: list[Array]) -> bool:
    return any(np.array_equal(image, candidate) for candidate in candidates)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_augmentation_changes_images_and_keeps_shape_and_type(kind: str, shape: tuple[int, ...], dtype: type) -> None:
    images = noise(shape, dtype=dtype)

    changed = augmented(kind, images)

    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert sum(not np.array_equal(*pair) for pair in zip(changed, images, strict=True)) > 20
    assert np.isfinite(changed).all()


def test_augmentation_none_is_no_function() -> None:
    assert make_augmentation("none", (8, 8, 1)) is None


@pytest.mark.parametrize(
    ("shape", "reaches"), [((8, 8, 1), (1, 1)), ((32, 16, 3), (2, 1)), ((40, 2), (2,)), ((1, 1, 1), (1, 1))]
)
def test_shifts_move_by_at_most_a_sixteenth_and_repeat_the_edge(
    shape: tuple[int, ...], reaches: tuple[int, ...]
) -> None:
    images = noise(shape)

    changed = augmented("shifts", images)

    for before, after in zip(images, changed, strict=True):
        assert is_among(after, shifts_of(before, reaches))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("move", [-2, 2])
def test_shifts_reach_their_bound_in_every_direction(axis: int, move: int) -> None:
    images = noise((32, 32, 1), n_images=100)

    changed = augmented("shifts", images)

    across = [moved(after, back, 1 - axis) for after in changed for back in range(-2, 3)]
    inner = slice(5, -5)
    wanted = [moved(before, move, axis)[inner, inner] for before in images for _ in range(5)]
    assert any(np.array_equal(a[inner, inner], b) for a, b in zip(across, wanted, strict=True))


def test_flips_mirror_left_and_right_alone() -> None:
    images = noise((8, 8, 1))

    changed = augmented("flips_and_shifts", images)

    plain = [is_among(after, shifts_of(before, (1, 1))) for before, after in zip(images, changed, strict=True)]
    mirrored = [
        is_among(after[:, ::-1], shifts_of(before, (1, 1))) for before, after in zip(images, changed, strict=True)
    ]
    assert all(one != other for one, other in zip(plain, mirrored, strict=True))
    assert 5 < sum(mirrored) < 35


def test_sequences_are_never_reversed() -> None:
    images = noise((40, 2))

    changed = augmented("flips_and_shifts", images)

    assert all(is_among(after, shifts_of(before, (2,))) for before, after in zip(images, changed, strict=True))


@pytest.mark.parametrize(("shape", "n_erased"), [((16, 16, 1), 4 * 4), ((16, 12, 3), 4 * 3), ((40, 1), 10)])
def test_heavy_erases_a_square_of_a_quarter_side_with_the_images_mean(shape: tuple[int, ...], n_erased: int) -> None:
    ramp = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) * 0.37 + 0.11  # no pixel is the mean
    images = np.repeat(ramp[np.newaxis], 10, axis=0)

    changed = augmented("heavy", images)

    for after in changed[..., 0]:
        values, counts = np.unique(after, return_counts=True)
        erased = after == values[counts.argmax()]
        assert erased.sum() >= n_erased
        if after.ndim == 2:
            rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
            assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_heavy_changes_contrast_by_at_most_a_fifth() -> None:
    images = np.zeros((50, 16, 16, 1), np.float32)
    images[:, :, 4:12] = 100  # neither shifts, flips nor erasing make other values than 0, 100 and a mean

    changed = augmented("heavy", images)

    spans = changed.max(axis=(1, 2, 3)) - changed.min(axis=(1, 2, 3))
    assert spans.min() >= 80
    assert spans.max() <= 120
    assert spans.std() > 5


@pytest.mark.parametrize("kind", KINDS)
def test_augmentation_repeats_with_its_seed_and_differs_with_another(kind: str) -> None:
    images = noise((8, 8, 1))

    assert np.array_equal(augmented(kind, images), augmented(kind, images))
    assert not np.array_equal(augmented(kind, images), augmented(kind, images, seed=9))


@pytest.fixture
def numbered() -> ImageSet:
    """Return 50 images that hold their number, of 3 classes in turn."""
    images = np.repeat(np.arange(50, dtype=np.uint8), 16).reshape(50, 4, 4)
    return make_image_set(name="numbered", source="numbered", images=images, labels=np.arange(50) % 3)


def epochs_of(
    images: ImageSet, *, seed: int = 0, batch_size: int = 8, n_epochs: int = 2, **knobs: object
) -> list[Array]:
    """Return the images of each epoch, in the order in which they came."""
    values = {"augmentation": "none", "label_smoothing": 0.0, **knobs}
    batches = training_batches(images, batch_size=batch_size, seed=seed, **values)
    return [np.concatenate([pixels for pixels, _ in batches.as_numpy_iterator()]) for _ in range(n_epochs)]


def test_epoch_has_each_image_at_most_once_in_full_batches(numbered: ImageSet) -> None:
    batches = training_batches(numbered, batch_size=8, augmentation="none", label_smoothing=0.0, seed=0)

    sizes = [len(pixels) for pixels, _ in batches.as_numpy_iterator()]
    (epoch,) = epochs_of(numbered, n_epochs=1)

    assert sizes == [8] * 6
    assert len(batches) == 6
    assert len(set(epoch[:, 0, 0, 0].tolist())) == 48


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_batches_repeat_with_their_seed_and_epochs_differ(numbered: ImageSet, augmentation: str) -> None:
    first, second = epochs_of(numbered, augmentation=augmentation)
    again = epochs_of(numbered, augmentation=augmentation)
    (other,) = epochs_of(numbered, augmentation=augmentation, seed=1, n_epochs=1)

    assert np.array_equal([first, second], again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_augmentation_differs_from_batch_to_batch_and_from_epoch_to_epoch() -> None:
    same = np.repeat(noise((32, 32, 1), n_images=1), 16, axis=0)
    images = make_image_set(name="same", source="same", images=same, labels=np.arange(16) % 2)

    first, second = epochs_of(images, augmentation="shifts")

    assert not np.array_equal(first[:8], first[8:])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("n_images", "batch_size", "steps"), [(50, 8, 6), (50, 50, 1), (50, 51, 1), (48, 8, 6), (1, 1, 1)]
)
def test_steps_of_an_epoch_are_its_full_batches_or_one(n_images: int, batch_size: int, steps: int) -> None:
    assert steps_per_epoch(n_images, batch_size) == steps


def test_set_smaller_than_a_batch_makes_one_batch(numbered: ImageSet) -> None:
    (epoch,) = epochs_of(numbered, batch_size=512, n_epochs=1)

    assert sorted(epoch[:, 0, 0, 0]) == list(range(50))


@pytest.mark.parametrize(("smoothing", "right", "wrong"), [(0.0, 1.0, 0.0), (0.3, 0.8, 0.1)])
def test_training_labels_are_smoothed(numbered: ImageSet, smoothing: float, right: float, wrong: float) -> None:
    batches = training_batches(numbered, batch_size=8, augmentation="none", label_smoothing=smoothing, seed=0)

    for pixels, labels in batches.as_numpy_iterator():
        expected = np.where(np.eye(3)[pixels[:, 0, 0, 0] % 3] == 1, right, wrong)
        np.testing.assert_allclose(labels, expected, rtol=1e-6)


def test_validation_has_every_image_in_order_with_plain_labels(numbered: ImageSet) -> None:
    batches = list(validation_batches(numbered, batch_size=20).as_numpy_iterator())

    assert [len(pixels) for pixels, _ in batches] == [20, 20, 10]
    assert np.array_equal(np.concatenate([pixels for pixels, _ in batches]), numbered.images)
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), np.eye(3)[numbered.labels])
