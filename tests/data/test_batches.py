"""Batches of training and validation images: order, targets, weights, seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from pipeline.data.augmentation import make_augmentation
from pipeline.data.batches import (
    balanced_weights,
    epoch_variable,
    steps_per_epoch,
    training_batches,
    validation_batches,
)
from pipeline.data.image_set import Array, ImageSet, make_image_set
from pipeline.knobs.table import complete

_FLIPS = ("horizontal_flip", "alternating_flip")


def noise(shape: tuple[int, ...], n_images: int = 40, dtype: type = np.uint8) -> Array:
    return np.random.default_rng(0).integers(0, 256, (n_images, *shape)).astype(dtype)


@pytest.fixture
def numbered() -> ImageSet:
    """Return 50 images that hold their number, of 3 classes in turn."""
    images = np.repeat(np.arange(50, dtype=np.uint8), 16).reshape(50, 4, 4)
    return make_image_set(name="numbered", source="numbered", images=images, labels=np.arange(50) % 3)


def batches_of(
    images: ImageSet,
    *,
    seed: int = 0,
    epoch: Any = None,
    batch_size: int = 8,
    n_outputs: int | None = None,
    **knobs: Any,
) -> Any:
    """Return training batches, of the first epoch unless a variable says otherwise; ``augmentation`` is a preset."""
    changes = {name: knobs.pop(name) for name in ("augmentation", *_FLIPS) if name in knobs}
    augmentation = make_augmentation(complete(changes))
    values = {"augmentation": augmentation, "label_smoothing": 0.0, "class_weights": False, **knobs}
    n_outputs = n_outputs or len(images.class_names)
    epoch = epoch or epoch_variable()
    return training_batches(images, n_outputs=n_outputs, batch_size=batch_size, seed=seed, epoch=epoch, **values)


def epochs_of(
    images: ImageSet, *, numbers: tuple[int, ...] = (1, 2), seed: int = 0, batch_size: int = 8, **knobs: Any
) -> list[Array]:
    """Return the images of the epochs of these numbers, one after another, in the order in which they came."""
    epoch, epochs = epoch_variable(), []
    batches = batches_of(images, seed=seed, epoch=epoch, batch_size=batch_size, **knobs)
    for number in numbers:
        epoch.assign(number)
        epochs.append(np.concatenate([batch[0] for batch in batches.as_numpy_iterator()]))
    return epochs


def test_epoch_has_each_image_at_most_once_in_full_batches(numbered: ImageSet) -> None:
    batches = batches_of(numbered)

    sizes = [len(pixels) for pixels, _ in batches.as_numpy_iterator()]
    (epoch,) = epochs_of(numbered, numbers=(1,))

    assert sizes == [8] * 6
    assert len(batches) == 6
    assert len(set(epoch[:, 0, 0, 0].tolist())) == 48


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_batches_repeat_with_their_seed_and_epochs_differ(numbered: ImageSet, augmentation: str) -> None:
    first, second = epochs_of(numbered, augmentation=augmentation)
    again = epochs_of(numbered, augmentation=augmentation)
    (other,) = epochs_of(numbered, augmentation=augmentation, seed=1, numbers=(1,))

    assert np.array_equal([first, second], again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_epoch_is_the_same_whether_or_not_those_before_it_were_run(numbered: ImageSet, augmentation: str) -> None:
    in_turn = epochs_of(numbered, augmentation=augmentation, numbers=(1, 2, 3))

    (alone,) = epochs_of(numbered, augmentation=augmentation, numbers=(3,))
    out_of_turn = epochs_of(numbered, augmentation=augmentation, numbers=(3, 1, 2))

    assert np.array_equal(in_turn[2], alone)
    assert np.array_equal(in_turn, [out_of_turn[1], out_of_turn[2], out_of_turn[0]])


def test_epoch_that_was_left_midway_does_not_change_the_next(numbered: ImageSet) -> None:
    epoch = epoch_variable()
    batches = batches_of(numbered, epoch=epoch, augmentation="heavy")
    next(batches.as_numpy_iterator())
    epoch.assign(2)

    after = np.concatenate([batch[0] for batch in batches.as_numpy_iterator()])

    assert np.array_equal(after, epochs_of(numbered, augmentation="heavy", numbers=(2,))[0])


def test_each_epoch_leaves_out_other_images(numbered: ImageSet) -> None:
    seen = [set(epoch[:, 0, 0, 0].tolist()) for epoch in epochs_of(numbered, numbers=tuple(range(1, 9)))]

    assert len({frozenset(images) for images in seen}) > 4
    assert set.union(*seen) == set(range(50))


def test_seeds_of_more_than_31_bits_differ_from_those_with_the_same_low_bits(numbered: ImageSet) -> None:
    (small,) = epochs_of(numbered, seed=5, numbers=(1,))

    for seed in (2**31 + 5, 2**32 + 5, 2**40 + 5):
        (large,) = epochs_of(numbered, seed=seed, numbers=(1,))
        assert not np.array_equal(small, large)


@pytest.fixture
def slanted() -> ImageSet:
    """Return 48 images of two columns: on the left each holds its number, on the right 100."""
    images = np.full((48, 1, 2), 100, np.uint8)
    images[:, 0, 0] = np.arange(48)
    return make_image_set(name="slanted", source="slanted", images=images, labels=np.arange(48) % 2)


def mirrored_in(images: ImageSet, *, numbers: tuple[int, ...], **knobs: Any) -> list[set[int]]:
    """Return which images are mirrored in the epochs of these numbers."""
    return [
        {int(right) for left, right in epoch[:, 0, :, 0] if left == 100}
        for epoch in epochs_of(images, numbers=numbers, horizontal_flip=True, **knobs)
    ]


def test_alternating_flips_mirror_a_random_half_in_odd_epochs_and_the_others_in_even_ones(slanted: ImageSet) -> None:
    first, second, third, fourth = mirrored_in(slanted, numbers=(1, 2, 3, 4), alternating_flip=True)

    assert 12 < len(first) < 36
    assert second == set(range(48)) - first
    assert (third, fourth) == (first, second)


def test_alternating_flips_follow_from_the_seed_and_the_epoch_alone(slanted: ImageSet) -> None:
    in_turn = mirrored_in(slanted, numbers=(1, 2, 3, 4), alternating_flip=True)

    (alone,) = mirrored_in(slanted, numbers=(4,), alternating_flip=True)
    (other,) = mirrored_in(slanted, numbers=(4,), alternating_flip=True, seed=1)

    assert alone == in_turn[3]
    assert other != alone


def test_flips_without_alternation_are_drawn_in_each_epoch_anew(slanted: ImageSet) -> None:
    first, second, third = mirrored_in(slanted, numbers=(1, 2, 3))

    assert second != set(range(48)) - first
    assert third != first


def test_alternating_flips_leave_sequences_and_images_without_flips_alone(numbered: ImageSet) -> None:
    sequences = make_image_set(name="s", source="s", images=noise((16, 1)), labels=np.arange(40) % 2)

    for images, knobs in ((numbered, {}), (sequences, {"horizontal_flip": True})):
        plain = epochs_of(images, augmentation="shifts", **knobs)
        assert np.array_equal(epochs_of(images, augmentation="shifts", alternating_flip=True, **knobs), plain)


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


def test_chosen_number_of_steps_is_a_part_of_a_pass_or_several_passes(numbered: ImageSet) -> None:
    whole, again = epochs_of(numbered, batch_size=10)
    (part,) = epochs_of(numbered, batch_size=10, numbers=(1,), n_steps=2)
    (several,) = epochs_of(numbered, batch_size=10, numbers=(1,), n_steps=12)

    assert np.array_equal(part, whole[:20]), "the beginning of the same order"
    assert np.array_equal(several[:50], whole)
    assert sorted(several[50:100, 0, 0, 0]) == list(range(50))
    assert not np.array_equal(several[50:100], whole)
    assert not np.array_equal(several[50:100], again)
    assert len(several) == 120


def test_set_smaller_than_a_batch_makes_one_batch(numbered: ImageSet) -> None:
    (epoch,) = epochs_of(numbered, batch_size=512, numbers=(1,))

    assert sorted(epoch[:, 0, 0, 0]) == list(range(50))


@pytest.mark.parametrize(("smoothing", "right", "wrong"), [(0.0, 1.0, 0.0), (0.3, 0.8, 0.1)])
def test_training_labels_are_smoothed(numbered: ImageSet, smoothing: float, right: float, wrong: float) -> None:
    batches = batches_of(numbered, label_smoothing=smoothing)

    for pixels, labels in batches.as_numpy_iterator():
        expected = np.where(np.eye(3)[pixels[:, 0, 0, 0] % 3] == 1, right, wrong)
        np.testing.assert_allclose(labels, expected, rtol=1e-6)


def test_validation_has_every_image_in_order_with_plain_labels(numbered: ImageSet) -> None:
    batches = list(validation_batches(numbered, n_outputs=3, batch_size=20).as_numpy_iterator())

    assert [len(pixels) for pixels, _ in batches] == [20, 20, 10]
    assert np.array_equal(np.concatenate([pixels for pixels, _ in batches]), numbered.images)
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), np.eye(3)[numbered.labels])


@pytest.fixture
def uneven() -> ImageSet:
    """Return 12 images of two classes, 3 of the first, that hold their class."""
    labels = np.array([0] * 3 + [1] * 9)
    images = np.repeat(labels.astype(np.uint8), 16).reshape(12, 4, 4)
    return make_image_set(name="uneven", source="uneven", images=images, labels=labels, class_names=("no", "yes"))


@pytest.mark.parametrize(("smoothing", "yes", "no"), [(0.0, 1.0, 0.0), (0.2, 0.9, 0.1)])
def test_one_output_takes_the_second_class_as_its_target(
    uneven: ImageSet, smoothing: float, yes: float, no: float
) -> None:
    ((pixels, targets),) = batches_of(uneven, batch_size=12, n_outputs=1, label_smoothing=smoothing)
    ((_, plain),) = validation_batches(uneven, n_outputs=1)

    assert targets.shape == plain.shape == (12, 1)
    np.testing.assert_allclose(targets[:, 0], np.where(pixels[:, 0, 0, 0] == 1, yes, no), rtol=1e-6)
    np.testing.assert_array_equal(plain[:, 0], uneven.labels)


def test_class_weights_are_scikit_learns_balanced_ones(numbered: ImageSet, uneven: ImageSet) -> None:
    for images in (numbered, uneven):
        classes = np.arange(len(images.class_names))
        expected = compute_class_weight("balanced", classes=classes, y=images.labels)
        np.testing.assert_allclose(balanced_weights(images), expected, rtol=1e-6)


def test_each_training_image_has_its_classes_weight(uneven: ImageSet) -> None:
    for pixels, _, weights in batches_of(uneven, batch_size=4, class_weights=True).as_numpy_iterator():
        np.testing.assert_allclose(weights, np.where(pixels[:, 0, 0, 0] == 1, 12 / 18, 12 / 6), rtol=1e-6)


def test_no_thread_tunes_the_batches_which_the_end_of_each_epoch_would_wait_for(numbered: ImageSet) -> None:
    for batches in (batches_of(numbered), validation_batches(numbered, n_outputs=3)):
        assert batches.options().autotune.enabled is False


def test_batches_without_class_weights_hold_none(uneven: ImageSet) -> None:
    assert {len(batch) for batch in batches_of(uneven)} == {2}
