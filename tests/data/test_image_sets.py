"""Training images: read from .npz files, known by name, scaled, and split."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splitting import split

from pipeline.data.image_set import Array, ImageSet, make_image_set
from pipeline.data.image_source import make_array_source
from pipeline.data.named import CLASS_NAMES
from pipeline.data.partition import make_folds, make_partition
from pipeline.data.scaling import fit_scaling
from pipeline.data.source import TrainingData, load_images, load_training_data
from pipeline.errors import DataError
from pipeline.knobs.table import KNOBS
from pipeline.paths import dataset_name
from pipeline.settings import DataSettings

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([0, 0, 1, 1, 2, 2])


def load(tmp_path: Path, **changed: Any) -> ImageSet:
    """Write an .npz of 6 grey images, with ``changed`` arrays, and read it."""
    arrays = {"x_train": PIXELS, "y_train": LABELS, "x_test": changed.get("x_train", PIXELS), "y_test": LABELS}
    path = tmp_path / "mine.npz"
    np.savez(path, **{**arrays, **changed})
    return load_images(str(path), tmp_path).images_at(0)


@pytest.mark.parametrize(
    ("images", "input_shape"),
    [
        (PIXELS, (4, 5, 1)),
        (np.zeros((6, 4, 5, 1), np.uint8), (4, 5, 1)),
        (np.zeros((6, 4, 5, 3), np.uint8), (4, 5, 3)),
        (np.zeros((6, 200, 1), np.uint8), (200, 1)),
        (np.zeros((6, 16, 2), np.float32), (16, 2)),
        (np.zeros((6, 15, 2), np.float32), (15, 2, 1)),
    ],
)
def test_images_get_the_axes_of_their_kind(tmp_path: Path, images: Array, input_shape: tuple[int, ...]) -> None:
    assert load(tmp_path, x_train=images).input_shape == input_shape


@pytest.mark.parametrize(
    ("images", "dtype"),
    [
        (PIXELS, np.uint8),
        (PIXELS.astype(np.int64), np.uint8),
        (PIXELS > 9, np.uint8),
        (PIXELS.astype(np.int64) - 1, np.float32),
        (PIXELS.astype(np.int64) * 9, np.float32),
        (PIXELS / 255, np.float32),
        (PIXELS.astype(np.float16), np.float32),
    ],
)
def test_pixels_keep_their_values_in_one_of_two_types(tmp_path: Path, images: Array, dtype: type) -> None:
    loaded = load(tmp_path, x_train=images).images

    assert loaded.dtype == dtype
    np.testing.assert_allclose(loaded[..., 0], images, rtol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [LABELS, LABELS[:, np.newaxis], np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS], LABELS.astype(float),
     LABELS.astype(np.uint64)],
    ids=["plain", "column", "one-hot", "one-hot of bools", "floats", "unsigned"],
)  # fmt: skip
def test_labels_become_plain_numbers(tmp_path: Path, labels: Array) -> None:
    images = load(tmp_path, y_train=labels)

    assert images.labels.tolist() == LABELS.tolist()
    assert images.labels.dtype == np.int32
    assert images.class_names == ("0", "1", "2")


@pytest.mark.parametrize("names", [["cat", "dog", "eel"], [b"cat", b"dog", b"eel"]])
def test_class_names_come_from_the_file(tmp_path: Path, names: list[Any]) -> None:
    assert load(tmp_path, class_names=np.array(names)).class_names == ("cat", "dog", "eel")


def test_data_set_is_called_after_its_file(tmp_path: Path) -> None:
    assert load(tmp_path).name == "mine"
    assert dataset_name("folder/mine.npz") == "mine"
    assert dataset_name("cifar10") == "cifar10"


def test_test_images_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS, x_test=np.full((900, 4, 5), 77, np.uint8), y_test=np.zeros(900, int))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\x4d" * 100, b"\x4e" * 100))  # the header is left whole
    with pytest.raises(zipfile.BadZipFile), np.load(path) as arrays:
        arrays["x_test"]

    assert load_images(str(path), tmp_path).images_at(0).images.shape == (6, 4, 5, 1)


def test_digest_changes_with_pixels_labels_shape_and_type(tmp_path: Path) -> None:
    other_pixel, other_labels = PIXELS.copy(), LABELS[::-1]
    other_pixel[3, 2, 1] += 1
    plain = load(tmp_path)
    others = [
        load(tmp_path, x_train=other_pixel),
        load(tmp_path, y_train=other_labels),
        load(tmp_path, x_train=PIXELS.reshape(6, 5, 4)),
        load(tmp_path, x_train=PIXELS.astype(np.float32)),
        load(tmp_path, class_names=np.array(["cat", "dog", "eel"])),
    ]

    assert load(tmp_path).digest() == plain.digest()
    assert len({images.digest() for images in (plain, *others)}) == 6


def test_digits_are_whole_pixels_and_leave_a_fifth_to_the_test(tmp_path: Path) -> None:
    digits = load_images("digits", tmp_path).images_at(0)

    assert digits.images.shape == (1437, 8, 8, 1)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    assert digits.class_names == CLASS_NAMES["digits"]
    assert np.bincount(digits.labels).min() >= 135
    assert list(tmp_path.iterdir()) == []


def test_named_set_is_read_from_the_data_folder_with_its_class_names(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(10), 2)
    images = np.zeros((20, 4, 4, 3), np.uint8)
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    loaded = load_images("cifar10", tmp_path).images_at(0)

    assert loaded.class_names[:3] == ("airplane", "automobile", "bird")
    assert loaded.name == "cifar10"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), [("mnist", (60_000, 28, 28, 1)), ("cifar10", (50_000, 32, 32, 3))])
def test_published_sets_have_their_known_shapes(name: str, shape: tuple[int, ...]) -> None:
    folder = os.environ.get("PIPELINE_DATA_DIR")
    if not folder or not (Path(folder) / f"{name}.npz").exists():
        pytest.skip(f"PIPELINE_DATA_DIR names no folder with {name}.npz")

    images = load_images(name, Path(folder)).images_at(0)

    assert images.images.shape == shape
    assert np.bincount(images.labels).min() >= 5_000
    assert len(split(images, seed=0).validation.labels) == shape[0] // 10


def made(n_images: int, n_classes: int) -> ImageSet:
    """Return images that hold their own number, of classes in turn."""
    numbers = np.arange(n_images)
    images = np.broadcast_to(numbers[:, np.newaxis, np.newaxis], (n_images, 2, 2)).astype(np.float32) + 0.5
    return make_image_set(name="made", source="made", images=images, labels=numbers % n_classes)


@pytest.mark.parametrize(
    ("n_images", "n_classes", "n_validation"),
    [(4, 2, 2), (20, 10, 10), (100, 2, 20), (4_000, 2, 800), (6_000, 2, 1_000), (12_000, 2, 1_200)],
)
def test_validation_is_a_tenth_and_more_for_small_sets(n_images: int, n_classes: int, n_validation: int) -> None:
    parts = split(made(n_images, n_classes), seed=0)

    assert len(parts.validation.labels) == n_validation
    assert len(parts.train.labels) == n_images - n_validation


def test_split_has_every_image_once_and_every_class_in_its_share() -> None:
    images = made(500, 5)

    parts = split(images, seed=3)

    together = np.concatenate([parts.train.images, parts.validation.images])
    assert sorted(together[:, 0, 0, 0]) == images.images[:, 0, 0, 0].tolist()
    assert np.bincount(parts.train.labels).tolist() == [80] * 5
    assert np.bincount(parts.validation.labels).tolist() == [20] * 5
    assert (parts.validation.images[:, 0, 0, 0] % 5 == parts.validation.labels + 0.5).all()


def test_split_has_rare_classes_on_both_sides() -> None:
    images = made(1_000, 2)
    labels = images.labels.copy()
    labels[[10, 20, 30, 40]] = [2, 2, 3, 3]
    rare = make_image_set(name="rare", source="rare", images=images.images, labels=labels)

    for seed in range(5):
        parts = split(rare, seed=seed)
        assert set(parts.train.labels) == set(parts.validation.labels) == {0, 1, 2, 3}
        assert len(parts.train.labels) + len(parts.validation.labels) == 1_000


def test_split_repeats_with_its_seed_and_differs_with_another() -> None:
    first, again, other = (split(made(100, 2), seed=seed).validation.images for seed in (0, 0, 1))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_split_keeps_class_names() -> None:
    parts = split(made(20, 2), seed=0)

    assert parts.train.class_names == parts.validation.class_names == ("0", "1")


def test_zero_one_takes_whole_pixels_as_0_to_255() -> None:
    scaling = fit_scaling("zero_one", np.full((2, 3, 3, 2), 7, np.uint8))

    assert scaling.factor == (1 / 255, 1 / 255)
    assert scaling.offset == (0, 0)


def test_zero_one_spans_the_least_and_greatest_of_other_pixels() -> None:
    images = np.array([-2, 0, 6], np.float32).reshape(3, 1, 1, 1)

    scaling = fit_scaling("zero_one", images)

    np.testing.assert_allclose(images.ravel() * scaling.factor[0] + scaling.offset[0], [0, 0.25, 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_min_max_spans_the_whole_array(dtype: type) -> None:
    images = np.array([[[[10, 40]], [[20, 90]]]], dtype)

    scaling = fit_scaling("min_max", images)

    scaled = images * np.array(scaling.factor) + np.array(scaling.offset)
    np.testing.assert_allclose(scaled.ravel(), [0, 30 / 80, 10 / 80, 1], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_min_max_per_channel_spans_each_channel(dtype: type) -> None:
    images = np.array([[[[10, 40]], [[15, 65]], [[20, 90]]]], dtype)

    scaling = fit_scaling("min_max_per_channel", images)

    scaled = images * np.array(scaling.factor) + np.array(scaling.offset)
    np.testing.assert_allclose(scaled.reshape(3, 2), [[0, 0], [0.5, 0.5], [1, 1]], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_standard_gives_each_channel_mean_0_and_deviation_1(dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 255, (50, 4, 4, 2)).astype(dtype) // np.array([1, 9], dtype)

    scaling = fit_scaling("standard", images)

    scaled = images * np.array(scaling.factor) + np.array(scaling.offset)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), [0, 0], atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), [1, 1], rtol=1e-6)


@pytest.mark.parametrize("kind", KNOBS["scaling"].choices)
def test_images_of_one_value_are_scaled_to_finite_pixels(kind: str) -> None:
    scaling = fit_scaling(kind, np.full((2, 3, 3, 1), 0.5, np.float32))

    assert np.isfinite([0.5 * scaling.factor[0] + scaling.offset[0]]).all()


def test_images_are_resized_when_a_size_is_asked_for_and_left_alone_otherwise() -> None:
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[np.newaxis, :, np.newaxis], 16, axis=0)
    images = make_image_set(name="ramp", source="ramp", images=np.stack([ramp] * 4), labels=np.array([0, 0, 1, 1]))
    source = make_array_source(images)

    halved = source.images_at(8)

    assert halved.images.shape == (4, 8, 8, 1)
    assert halved.images.dtype == np.uint8
    assert halved.images[0, 3, 1:-1, 0].tolist() == [25, 45, 65, 85, 105, 125]
    assert source.images_at(0) is source.images_at(16) is images


def test_sequences_cannot_be_resized() -> None:
    images = make_image_set(name="long", source="long", images=np.zeros((4, 50, 1)), labels=np.array([0, 0, 1, 1]))

    with pytest.raises(DataError, match=r"image_size is for images, got sequences of shape \(50, 1\); set it to 0"):
        make_array_source(images).images_at(8)


def test_duplicates_stand_on_one_side_of_the_split_and_in_one_fold() -> None:
    groups = np.arange(60) // 4 * 2 + np.arange(60) % 2
    source = replace(make_array_source(made(60, 2)), groups=groups)

    for part in (make_partition(source, seed=0), *make_folds(source, n_folds=3, seed=0)):
        assert not set(groups[part.train]) & set(groups[part.validation])
        assert sorted([*part.train, *part.validation]) == list(range(60))


def test_validation_images_that_the_data_set_names_are_taken() -> None:
    source = replace(make_array_source(made(20, 2)), given_validation=np.array([3, 4, 9]))

    assert make_partition(source, seed=0).validation.tolist() == [3, 4, 9]


def test_validation_share_is_obeyed() -> None:
    part = make_partition(make_array_source(made(200, 2)), seed=0, validation_share=0.3)

    assert (len(part.train), len(part.validation)) == (140, 60)


def test_folds_validate_every_image_once_and_repeat() -> None:
    source = make_array_source(made(30, 3))

    folds = make_folds(source, n_folds=5, seed=1)

    assert sorted(np.concatenate([fold.validation for fold in folds])) == list(range(30))
    again = make_folds(source, n_folds=5, seed=1)
    assert all(np.array_equal(one.validation, other.validation) for one, other in zip(folds, again, strict=True))


def test_more_folds_than_images_of_a_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"^made: 5 folds need as many .* got 4 of '0'; use fewer folds"):
        make_folds(make_array_source(made(8, 2)), n_folds=5, seed=0)


def folded(n_folds: int) -> TrainingData:
    """Return 30 images in ``n_folds`` folds; 0: split once."""
    source = make_array_source(made(30, 3))
    folds = make_folds(source, n_folds=n_folds, seed=1) if n_folds else ()
    return TrainingData(source, make_partition(source, seed=1), folds)


def test_data_in_folds_are_judged_on_each_and_data_without_on_the_one_split() -> None:
    folds, (whole,) = list(folded(5).splits(0)), list(folded(0).splits(0))

    assert (folded(5).n_splits, folded(0).n_splits) == (5, 1)
    assert [len(fold.validation.labels) for fold in folds] == [6] * 5
    assert np.array_equal(whole.validation.images, folded(0).at(0).validation.images)


def test_digest_of_the_split_tells_folds_from_other_folds_and_from_none() -> None:
    digests = [folded(n_folds).split_digest for n_folds in (0, 2, 3, 5)]

    assert len(set(digests)) == 4
    assert digests == [folded(n_folds).split_digest for n_folds in (0, 2, 3, 5)]


def test_profile_names_the_folds_where_there_are_some() -> None:
    profile = folded(5).profile()

    assert (profile["n_folds"], profile["n_train"], profile["n_validation"]) == (5, 24, 6)
    assert "n_folds" not in folded(0).profile()


def test_whole_data_set_is_for_fitting_where_nothing_is_validated() -> None:
    data = load_training_data(DataSettings())

    whole = data.whole(0)

    assert len(whole.train.labels) == len(data.images.labels)
    assert len(whole.validation.labels) == 0
