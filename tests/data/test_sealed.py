"""The sealed test part: which images it has, and that nothing else needs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.sealed import open_test_images
from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import DataError
from pipeline.settings import DataSettings

LABELS = np.arange(40) % 4


def npz(path: Path, **changes: object) -> DataSettings:
    """Write 40 training and 6 test images; return the settings of the data set."""
    rng = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "x_train": rng.integers(0, 256, (40, 8, 8)).astype(np.uint8), "y_train": LABELS,
        "x_test": rng.integers(0, 256, (6, 8, 8)).astype(np.uint8), "y_test": np.array([3, 3, 0, 0, 1, 1]),
    }  # fmt: skip
    np.savez(path, **{**arrays, **changes})  # type: ignore[arg-type]
    return DataSettings(dataset=str(path))


def opened(settings: DataSettings) -> tuple[TrainingData, np.ndarray, np.ndarray]:
    data = load_training_data(settings)
    test = open_test_images(settings, data.images)
    return data, test.images_at(0).images, test.labels


def test_digits_for_the_test_are_a_fifth_that_nobody_trains_on() -> None:
    data, images, labels = opened(DataSettings())

    assert len(labels) == 360
    assert np.bincount(labels).min() >= 34
    seen = {image.tobytes() for image in data.images.images_at(0).images}
    # Two digits of 8 x 8 pixels may be alike, but the parts share no row of the data set.
    assert sum(image.tobytes() in seen for image in images) == 0
    assert len(data.images.labels) + len(labels) == 1797


def test_test_images_of_an_npz_have_the_classes_of_the_training_images(tmp_path: Path) -> None:
    settings = npz(tmp_path / "four.npz")
    data, images, labels = opened(settings)

    test = open_test_images(settings, data.images)
    assert images.shape == (6, 8, 8, 1)
    assert labels.tolist() == [3, 3, 0, 0, 1, 1]
    assert test.class_names == data.images.class_names == ("0", "1", "2", "3")
    assert test.digest != data.images.digest


def test_test_images_that_break_a_rule_are_refused_when_they_are_opened(tmp_path: Path) -> None:
    settings = npz(tmp_path / "four.npz", x_test=np.full((6, 8, 8), np.nan))
    data = load_training_data(settings)  # nobody looks at the pixels

    with pytest.raises(DataError, match="x_test must hold finite pixels"):
        open_test_images(settings, data.images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([0, 1, 2, 3, 4, 0])}, "y_test must lie between 0 and 3 .4 classes., got 4; correct the"),
        ({"y_test": np.array([0, 1, 2, 3, np.nan, 0])}, "y_test must hold whole numbers from 0, got nan; number the"),
        ({"y_test": np.array([0, 1, 2, 3, -1, 0])}, "y_test must hold whole numbers from 0, got -1; number the"),
        ({"y_test": np.array([0.5] * 6)}, "y_test must hold whole numbers from 0, got 0.5; number the"),
        ({"y_test": np.array(list("abcdef"))}, "y_test must hold whole numbers, got <U1; number the"),
        ({"y_test": np.ones((6, 3))}, "one-hot y_test must hold a single 1 in each row; encode it again"),
        ({"y_test": np.ones((6, 2, 2))}, r"y_test must have one label per image, .* got \(6, 2, 2\); align it"),
        ({"x_test": np.full((6, 8, 8), 1j)}, "x_test must hold numbers, got complex128; convert it"),
        ({"x_test": np.full((6, 8, 8), "a")}, "x_test must hold numbers, got <U1; convert it"),
        (
            {"x_test": np.zeros((0, 8, 8)), "y_test": np.zeros(0)},
            "x_test must hold at least one image, got the shape",
        ),
    ],
)
def test_labels_and_headers_of_the_test_part_are_checked_with_the_training_images(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_training_data(npz(tmp_path / "four.npz", **changes))


def test_one_hot_labels_of_the_test_part_are_taken(tmp_path: Path) -> None:
    _, _, labels = opened(npz(tmp_path / "four.npz", y_test=np.eye(4)[[3, 3, 0, 0, 1, 1]]))

    assert labels.tolist() == [3, 3, 0, 0, 1, 1]
