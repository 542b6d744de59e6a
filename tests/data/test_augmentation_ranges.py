"""What the ranges of augmentation do: each knob in its own direction, within its bound, on whole and other pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.data.augmentation import Augmentation, make_augment, make_augmentation
from pipeline.data.image_set import Array
from pipeline.knobs.table import KNOBS, Knobs, complete

SIDE = 41
CENTRE = SIDE // 2
RANGES: dict[str, Knobs] = {
    "rotation": {"rotation_degrees": 30},
    "width": {"width_shift": 0.2},
    "height": {"height_shift": 0.2},
    "shear": {"shear_degrees": 30},
    "zoom": {"zoom": 0.2},
    "flip": {"horizontal_flip": True},
    "brightness": {"brightness": 0.5},
    "all": {
        "rotation_degrees": 20, "width_shift": 0.2, "height_shift": 0.2, "shear_degrees": 20, "zoom": 0.2,
        "horizontal_flip": True, "brightness": 0.5, "augmentation": "heavy",
    },
}  # fmt: skip
MOVES = [name for name in RANGES if name not in ("brightness", "all")]
rows, columns = np.mgrid[:SIDE, :SIDE] - CENTRE


def augmented(images: Array, *, seed: int = 1, pixel_range: tuple[float, float] = (0, 255), **knobs: Any) -> Array:
    import tensorflow as tf

    augmentation = make_augmentation(complete(knobs))
    augment = make_augment(augmentation, input_shape=images.shape[1:], pixel_range=pixel_range)
    assert augment is not None
    return np.asarray(augment(tf.constant(images), tf.constant([seed, 2])))


def many(image: Array, n_images: int = 60) -> Array:
    """Return a batch of one grey image, repeated."""
    return np.repeat(image[np.newaxis, ..., np.newaxis], n_images, axis=0)


def bump(row_width: float, column_width: float) -> Array:
    """Return a soft bright spot in the middle, with standard deviations in pixels."""
    return (200 * np.exp(-((rows / row_width) ** 2 + (columns / column_width) ** 2) / 2)).astype(np.float32)


def spread(image: Array) -> Array:
    """Return the covariance of the light's place, (row, column)."""
    light = image[..., 0] / image[..., 0].sum()
    offsets = np.stack([rows - (light * rows).sum(), columns - (light * columns).sum()])
    return np.einsum("hw,ahw,bhw->ab", light, offsets, offsets)


def place(image: Array) -> tuple[float, float]:
    """Return the middle of the light in pixels from the image's."""
    light = image[..., 0] / image[..., 0].sum()
    return float((light * rows).sum()), float((light * columns).sum())


def noise(shape: tuple[int, ...], dtype: type = np.uint8, n_images: int = 40) -> Array:
    return np.random.default_rng(0).integers(0, 256, (n_images, *shape)).astype(dtype)


@pytest.mark.parametrize("reach", [10, 90])
def test_rotation_turns_by_at_most_its_degrees_to_both_sides(reach: float) -> None:
    changed = augmented(many(bump(1, 6)), rotation_degrees=reach)

    covariances = np.array([spread(image) for image in changed])
    angles = 0.5 * np.degrees(np.arctan2(2 * covariances[:, 0, 1], covariances[:, 1, 1] - covariances[:, 0, 0]))
    assert np.abs(angles).max() <= reach + 0.5
    assert angles.max() > 0.7 * reach
    assert angles.min() < -0.7 * reach


def test_rotation_by_a_half_circle_turns_some_images_upside_down() -> None:
    image = np.zeros((SIDE, SIDE), np.float32)
    image[:CENTRE] = 200

    changed = augmented(many(image), rotation_degrees=180)

    assert (changed[:, 3, CENTRE, 0] < 20).any()
    assert (changed[:, 3, CENTRE, 0] > 180).any()


def test_shear_slants_the_upright_by_at_most_its_degrees_and_leaves_the_level() -> None:
    upright = augmented(many(bump(6, 1)), shear_degrees=30)
    level = augmented(many(bump(1, 6)), shear_degrees=30)

    covariances = np.array([spread(image) for image in upright])
    angles = np.degrees(np.arctan2(covariances[:, 0, 1], covariances[:, 0, 0]))
    assert np.abs(angles).max() <= 30
    assert angles.max() > 15
    assert angles.min() < -15
    assert max(abs(spread(image)[0, 1] / spread(image)[1, 1]) for image in level) < 0.03


def test_zoom_resizes_each_axis_by_a_factor_of_its_own_within_its_bound() -> None:
    changed = augmented(many(bump(3, 3)), zoom=0.2)

    covariances = np.array([spread(image) for image in changed])
    heights, widths = np.sqrt(covariances[:, 0, 0]) / 3, np.sqrt(covariances[:, 1, 1]) / 3
    for sizes in (heights, widths):
        assert sizes.min() > 1 / 1.2 - 0.02
        assert sizes.max() < 1 / 0.8 + 0.02
        assert sizes.min() < 0.9
        assert sizes.max() > 1.1
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.5


@pytest.mark.parametrize("beside", [{}, {"zoom": 1e-6}], ids=["whole pixels", "resampled"])
@pytest.mark.parametrize(("knob", "axis"), [("height_shift", 0), ("width_shift", 1)])
def test_shift_moves_along_its_own_axis_by_at_most_its_share(knob: str, axis: int, beside: dict[str, float]) -> None:
    changed = augmented(many(bump(2, 2)), **{knob: 0.2}, **beside)

    places = np.array([place(image) for image in changed])
    reach = 8  # pixels of 41
    assert np.abs(places[:, axis]).max() <= reach + 0.05
    assert places[:, axis].max() > 0.8 * reach
    assert places[:, axis].min() < -0.8 * reach
    np.testing.assert_allclose(places[:, 1 - axis], 0, atol=0.01)


def test_shift_is_not_stretched_by_zoom() -> None:
    changed = augmented(many(bump(2, 2)), width_shift=0.2, zoom=0.5)

    assert np.abs([place(image)[1] for image in changed]).max() <= 8.05


def test_shares_of_a_side_are_counted_in_decimal_and_at_least_one_pixel() -> None:
    assert Augmentation(width_shift=0.29, height_shift=0.01).reaches((20, 100, 3)) == (1, 29)
    assert Augmentation(width_shift=0.5).reaches((20, 100, 3)) == (0, 50)
    assert Augmentation(width_shift=0.1, height_shift=0.2).reaches((50, 2)) == (10,)


def test_flip_mirrors_about_half_of_the_images_and_changes_nothing_else() -> None:
    images = noise((8, 8, 3))

    changed = augmented(images, horizontal_flip=True)

    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(images, changed, strict=True)]
    same = [np.array_equal(after, before) for before, after in zip(images, changed, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 5 < sum(mirrored) < 35


def test_resampled_images_are_mirrored_about_their_middle_too() -> None:
    image = np.zeros((SIDE, SIDE), np.float32)
    image[:, 5:8] = 200

    changed = augmented(many(image), horizontal_flip=True, zoom=1e-6)

    places = np.array([place(image)[1] for image in changed])
    np.testing.assert_allclose(np.abs(places), CENTRE - 6, atol=1e-2)
    assert 10 < (places > 0).sum() < 50


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_brightness_multiplies_each_image_by_one_factor_within_its_bound(dtype: type) -> None:
    image = np.full((8, 8), 100, dtype)
    image[:4] = 40

    changed = augmented(many(image), brightness=0.5)[..., 0].astype(float)

    factors = changed[:, 7, 7] / 100
    assert factors.min() >= 0.5
    assert factors.max() <= 1.5
    assert factors.max() - factors.min() > 0.7
    np.testing.assert_allclose(changed[:, 0, 0] / 40, factors, atol=0.02)
    assert (changed[:, 4:] == changed[:, 4:5, :1]).all()


def test_brightness_stops_at_white() -> None:
    changed = augmented(many(np.full((8, 8), 250, np.uint8)), brightness=1.0)

    assert changed.max() == 255
    assert changed.min() < 60


@pytest.mark.parametrize(("black", "white"), [(0.0, 1.0), (-2.0, 3.0)])
def test_brightness_of_other_pixels_stays_between_their_black_and_white(black: float, white: float) -> None:
    images = np.linspace(black, white, 64, dtype=np.float32).reshape(8, 8)

    changed = augmented(many(images), brightness=1.0, pixel_range=(black, white))

    assert changed.min() == black  # black stays black, however bright
    np.testing.assert_array_equal(changed[:, 0, 0], black)
    assert changed.max() == white


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", MOVES)
def test_moved_images_have_no_borders(name: str, dtype: type) -> None:
    flat = np.full((40, 12, 9, 3), 77, dtype)

    np.testing.assert_allclose(augmented(flat, **RANGES[name]), 77, rtol=1e-5)


@pytest.mark.parametrize("shape", [(12, 9, 1), (9, 12, 3), (1, 1, 1), (40, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_ranges_together_keep_shape_type_and_pixel_range(shape: tuple[int, ...], dtype: type) -> None:
    images = noise(shape, dtype)

    changed = augmented(images, **{**RANGES["all"], "augmentation": "none"})

    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert np.isfinite(changed).all()
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_whole_pixels_are_rounded_and_not_cut() -> None:
    images = noise((16, 16, 1))

    whole = augmented(images, rotation_degrees=30)
    exact = augmented(images.astype(np.float32), rotation_degrees=30)

    np.testing.assert_array_equal(whole, np.round(exact))


@pytest.mark.parametrize("name", RANGES)
def test_range_draws_for_each_image_and_repeats_with_its_seed(name: str) -> None:
    image = noise((16, 16, 3), n_images=1)
    images = np.repeat(image, 30, axis=0)

    changed = augmented(images, **RANGES[name])

    assert len({image.tobytes() for image in changed}) >= (2 if name == "flip" else 5)
    assert np.array_equal(changed, augmented(images, **RANGES[name]))
    assert not np.array_equal(changed, augmented(images, seed=9, **RANGES[name]))


@pytest.mark.parametrize("knob", ["rotation_degrees", "shear_degrees", "horizontal_flip"])
def test_sequences_are_neither_turned_nor_sheared_nor_mirrored(knob: str) -> None:
    images = noise((40, 2))

    assert np.array_equal(
        augmented(images, **{knob: KNOBS[knob].cast(60 if knob != "horizontal_flip" else True)}), images
    )


@pytest.mark.parametrize("knob", ["width_shift", "height_shift"])
def test_sequences_are_shifted_along_their_axis(knob: str) -> None:
    images = np.repeat(np.arange(40, dtype=np.uint8)[np.newaxis, :, np.newaxis], 50, axis=0)

    changed = augmented(images, **{knob: 0.1})[..., 0]

    moves = changed[:, 20].astype(int) - 20
    assert (moves.min(), moves.max()) == (-4, 4)
    for row, move in zip(changed, moves, strict=True):
        assert np.array_equal(row, np.clip(np.arange(40) + move, 0, 39))


def test_sequences_are_zoomed_along_their_axis() -> None:
    images = np.repeat(np.arange(41, dtype=np.float32)[np.newaxis, :, np.newaxis], 50, axis=0)

    changed = augmented(images, zoom=0.2)[..., 0]

    factors = np.diff(changed, axis=1)[:, 20]
    assert factors.min() >= 0.8 - 1e-4
    assert factors.max() <= 1.2 + 1e-4
    assert factors.std() > 0.05
    np.testing.assert_allclose(changed[:, 20], 20, atol=1e-4)


def test_larger_of_preset_and_range_counts() -> None:
    union = make_augmentation(complete({"augmentation": "heavy", "width_shift": 0.2, "height_shift": 0.1, "zoom": 0.3}))

    assert (union.width_shift, union.height_shift, union.zoom) == (0.2, 1 / 8, 0.3)
    assert (union.horizontal_flip, union.contrast, union.erased_share) == (True, 0.2, 0.25)
