"""The documents' own splits: the last fifth of arrays, photographs 7:3 as split-folders made it, and never mixed up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import load, write_classes

from pipeline.data.partition import make_partition
from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import DataError, SettingError
from pipeline.settings import DataSettings, SearchSettings, make_settings

# What splitfolders.ratio(..., seed=123, ratio=(0.7, 0.3)) of version 0.5.1 leaves for validation of ten files a class.
VALIDATION_OF_TEN = [f"{name}{number}" for name in ("rain", "sun") for number in (0, 1, 4)]


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """Return an ``.npz`` of 25 images whose first pixel is their number."""
    images = np.zeros((25, 8, 8), np.uint8)
    images[:, 0, 0] = range(25)
    labels = np.arange(25) % 2
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    return tmp_path / "mine.npz"


def split(dataset: Path, split: str) -> TrainingData:
    return load_training_data(make_settings(DataSettings, dataset=str(dataset), split=split))


def test_last_fifth_of_an_array_validates_and_the_rest_trains(array: Path) -> None:
    data = split(array, "documents")

    assert data.at(0).train.images[:, 0, 0, 0].tolist() == list(range(20))
    assert data.at(0).validation.images[:, 0, 0, 0].tolist() == list(range(20, 25))
    assert data.images.document_split == data.profile()["document_split"] == "last_fifth"


def test_digest_of_the_split_is_another_one_even_where_the_same_images_validate(tmp_path: Path, array: Path) -> None:
    write_classes(tmp_path / "photos" / "train", n_files=10)
    for part in ("validation", "test"):
        write_classes(tmp_path / "photos" / part, n_files=4, first=10 if part == "validation" else 20)
    ours, documents = (load(tmp_path / "photos", as_documents=chosen) for chosen in (False, True))
    assert ours.given_validation is not None
    assert documents.given_validation is not None
    assert ours.given_validation.tolist() == documents.given_validation.tolist()

    digests = [TrainingData(one, make_partition(one, seed=0)).split_digest for one in (ours, documents)]
    digests += [split(array, name).split_digest for name in ("pipeline", "documents")]

    assert len(set(digests)) == 4


def test_photographs_are_split_as_split_folders_splits_them_and_none_is_sealed(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=10)

    images = load(root, as_documents=True)

    assert images.given_validation is not None
    held_out = images.images_at(16).images[images.given_validation]
    expected = [load_pixels(root / name.rstrip("0123456789") / f"{name}.png") for name in VALIDATION_OF_TEN]
    assert sorted(image.tobytes() for image in held_out) == sorted(expected)
    assert len(images.labels) == 20
    assert images.document_split == "seven_to_three"


def load_pixels(path: Path) -> bytes:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image).tobytes()


def test_copies_stay_where_the_documents_left_them(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=10)
    shutil.copy(root / "sun" / "sun0.png", root / "sun" / "sun5.png")  # one validates, the other trains

    assert len(load(root, as_documents=True).labels) == 20


def test_pixels_of_both_splits_are_kept_apart(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=10)
    ours, documents = load(root), load(root, as_documents=True)
    first = ours.images_at(16).images, documents.images_at(16).images

    again = load(root).images_at(16).images, load(root, as_documents=True).images_at(16).images

    assert [len(images) for images in first] == [len(images) for images in again] == [16, 20]
    assert all((before == after).all() for before, after in zip(first, again, strict=True))


def test_own_validation_folder_is_taken_as_it_is_and_a_test_folder_stays_sealed(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("validation", 10), ("test", 20)):
        write_classes(tmp_path / "photos" / part, n_files=5, first=first)

    images = load(tmp_path / "photos", as_documents=True)

    assert images.document_split == "validation_folder"
    assert images.given_validation is not None
    assert images.given_validation.tolist() == list(range(10, 20))
    assert images.open_sealed is not None
    assert len(images.open_sealed().labels) == 10


def test_array_whose_last_fifth_lacks_a_class_is_refused(tmp_path: Path) -> None:
    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) // 10
    np.savez(tmp_path / "sorted.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    with pytest.raises(DataError, match="but a class is missing; shuffle the images, or leave --split out"):
        split(tmp_path / "sorted.npz", "documents")


@pytest.mark.parametrize(
    ("kind", "others", "message"),
    [
        (DataSettings, {"validation_share": 0.3}, "split must be pipeline where validation_share is given"),
        (SearchSettings, {}, "split must be 'pipeline', got 'documents'"),
    ],
)
def test_split_of_the_documents_has_its_own_share_and_is_none_to_search_on(
    kind: type[DataSettings], others: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        make_settings(kind, split="documents", **others)
