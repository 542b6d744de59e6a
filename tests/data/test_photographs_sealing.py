"""What a search never sees: the sealed part of a folder of photographs, and copies of what is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import load, open_sealed, parts_of, sealed_paths, write, write_classes
from PIL import Image

from pipeline.data.partition import make_partition


def contents(root: Path) -> tuple[set[str], set[str], set[str]]:
    """Return the digests of the files that train, validate and are sealed."""
    parts = parts_of(root)
    train, validation, sealed = ({one.sha256 for one in parts[part]} for part in ("train", "validation", "test"))
    return train, validation, sealed


def copy(root: Path, source: str, target: str) -> None:
    write(root / target, (root / source).read_bytes())


def test_sealed_part_is_a_stratified_share_that_no_seed_changes(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=40)

    images, again = load(root), load(root)

    assert np.bincount(open_sealed(images).labels).tolist() == [6, 6]
    assert open_sealed(images).digest == open_sealed(again).digest
    sealed = [pixels_of(path) for path in sealed_paths(root)]
    assert [image.tobytes() for image in open_sealed(images).images_at(16).images] == sealed
    assert len(images.labels) == 68


def pixels_of(path: Path) -> bytes:
    with Image.open(path) as image:
        return np.asarray(image).tobytes()


def test_pixels_are_those_of_the_photographs_that_are_not_sealed(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=10)
    images = load(root)

    pixels = [image.tobytes() for image in images.images_at(16).images]

    sealed = sealed_paths(root)
    assert len(pixels) == 16
    for path in root.rglob("*.png"):
        assert (pixels_of(path) in pixels) == (path not in sealed), path


def test_copies_share_a_group_and_a_side(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=30)
    for number in range(15):
        copy(root, f"sun/sun{number}.png", f"sun/copies/copy{number}.png")

    images = load(root)
    partition = make_partition(images, seed=0)

    train, _, sealed = contents(root)
    assert not train & sealed
    assert images.profile["n_duplicate_groups"] == 15
    assert images.profile["n_duplicate_files"] == 30
    assert len(set(images.groups)) == len(train) < len(images.groups)
    assert not set(images.groups[partition.train]) & set(images.groups[partition.validation])
    assert len(partition.train) + len(partition.validation) == len(images.labels)
    assert np.bincount(images.labels[partition.validation], minlength=2).min() > 0


def test_copies_in_several_split_folders_stay_in_the_one_that_judges(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for first, folder in zip((0, 100, 200), ("train", "validation", "test"), strict=True):
        write_classes(root / folder, n_files=5, first=first)
    copy(root, "test/sun/sun200.png", "train/sun/a.png")
    copy(root, "test/sun/sun201.png", "validation/sun/b.png")
    copy(root, "validation/rain/rain100.png", "train/rain/c.png")
    copy(root, "test/rain/rain202.png", "train/rain/d.png")
    copy(root, "test/rain/rain202.png", "validation/rain/d.png")

    images = load(root)

    train, validation, sealed = contents(root)
    assert not train & validation
    assert not (train | validation) & sealed
    assert (len(train), len(validation), len(sealed)) == (10, 10, 10)
    assert images.profile["n_left_out_copies"] == 5
    assert images.profile["n_duplicate_groups"] == 4
    assert images.profile["n_duplicate_files"] == 9


def test_same_bytes_in_two_classes_are_left_out_of_all(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=10)
    copy(root, "sun/sun3.png", "rain/also.png")
    copy(root, "sun/sun3.png", "rain/also again.png")

    images = load(root)

    assert images.profile["n_contradictory_files"] == 3
    assert sum(map(len, contents(root))) == 19
    assert len(images.images_at(8).images) == len(images.labels) == 19 - len(open_sealed(images).labels)


def test_labels_groups_and_pixels_are_of_the_same_photographs(tmp_path: Path) -> None:
    images = load(write_classes(tmp_path / "photos", n_files=12))

    sized = images.images_at(8)

    is_rain = sized.images[..., 2].mean(axis=(1, 2)) > sized.images[..., 0].mean(axis=(1, 2))
    assert [sized.class_names[label] for label in sized.labels] == ["rain" if rain else "sun" for rain in is_rain]
    assert np.array_equal(sized.labels, images.labels)
    assert len(images.groups) == len(images.labels)


def test_whole_folder_is_split_about_seven_to_three(tmp_path: Path) -> None:
    images = load(write_classes(tmp_path / "photos", n_files=100))

    partition = make_partition(images, seed=0)

    assert 0.65 < len(partition.train) / 200 < 0.72


@pytest.mark.parametrize("folders", [("train", "validation"), ("train", "test")])
def test_least_numbers_of_photographs_make_every_part(tmp_path: Path, folders: tuple[str, str]) -> None:
    root = tmp_path / "photos"
    write_classes(root / folders[0], n_files=2)
    write_classes(root / folders[1], n_files=1, first=50)

    images = load(root)
    partition = make_partition(images, seed=0)

    for part in (images.labels[partition.train], images.labels[partition.validation], open_sealed(images).labels):
        assert sorted(part) == [0, 1]


def test_three_different_photographs_a_class_make_every_part(tmp_path: Path) -> None:
    images = load(write_classes(tmp_path / "photos", n_files=3))

    partition = make_partition(images, seed=0)

    for part in (images.labels[partition.train], images.labels[partition.validation], open_sealed(images).labels):
        assert sorted(part) == [0, 1]


def test_source_tells_what_is_known_before_any_size(tmp_path: Path) -> None:
    images = load(write_classes(tmp_path / "photos"))

    assert (images.name, images.source) == ("mine", str(tmp_path / "photos"))
    assert (images.input_shape, images.dtype) == ((-1, -1, 3), "uint8")
    assert images.profile == {
        "n_files": 40, "n_sealed": 6, "n_duplicate_groups": 0, "n_duplicate_files": 0, "n_contradictory_files": 0,
        "n_left_out_copies": 0, "n_misnamed_files": 0, "n_other_files": 0,
    }  # fmt: skip
