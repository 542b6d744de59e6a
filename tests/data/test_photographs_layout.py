"""Folders of photographs: which files count, of which class, in which part."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, load, open_sealed, parts_of, picture, sealed_paths, write, write_class, write_classes

from pipeline.data.photographs.layout import Photograph


def names(photographs: list[Photograph]) -> set[str]:
    return {str(one.place) for one in photographs}


def all_names(root: Path) -> set[str]:
    return set().union(*map(names, parts_of(root).values()))


def test_class_folders_are_classes_whatever_lies_deeper_in_them(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos")
    write_class(root / "sun" / "2024" / "may", "sun", 5, first=50)

    images = load(root)

    assert images.class_names == ("rain", "sun")
    assert all_names(root) == {str(path.relative_to(root)) for path in root.rglob("*.png")}
    assert {str(path.relative_to(root).parts[0]) for path in sealed_paths(root)} == {"rain", "sun"}
    assert images.given_validation is None


@pytest.mark.parametrize(
    "folders",
    [("train", "validation", "test"), ("Training", "VALID", "Test"), ("train", "val", "testing")],
)
def test_split_folders_are_kept_as_they_are(tmp_path: Path, folders: tuple[str, str, str]) -> None:
    for first, folder in zip((0, 100, 200), folders, strict=True):
        write_classes(tmp_path / "photos" / folder, n_files=4, first=first)

    images = load(tmp_path / "photos")

    assert images.given_validation is not None
    assert images.given_validation.tolist() == list(range(8, 16))
    parts = parts_of(tmp_path / "photos")
    for part, folder in zip(("train", "validation", "test"), folders, strict=True):
        assert {name.split("/")[0] for name in names(parts[part])} == {folder}
        assert len(parts[part]) == 8


def test_without_a_test_folder_a_part_of_train_is_sealed(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos" / "train", n_files=20)
    write_classes(tmp_path / "photos" / "validation", n_files=4, first=100)

    images = load(tmp_path / "photos")

    parts = parts_of(tmp_path / "photos")
    assert (len(parts["train"]), len(parts["validation"]), len(images.labels)) == (34, 8, 42)
    assert {name.split("/")[0] for name in names(parts["test"])} == {"train"}
    assert np.bincount(open_sealed(images).labels).tolist() == [3, 3]


def test_without_a_validation_folder_none_is_given(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos" / "train", n_files=20)
    write_classes(tmp_path / "photos" / "test", n_files=4, first=100)

    images = load(tmp_path / "photos")

    assert images.given_validation is None
    assert len(images.labels) == 40
    assert len(open_sealed(images).labels) == 8


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("cloudy1.png", "cloudy"), ("cloudy_12.png", "cloudy"), ("cloudy 3.png", "cloudy"), ("cloudy-4.png", "cloudy"),
        ("cloudy (5).png", "cloudy"), ("cloudy.6.png", "cloudy"), ("very cloudy 7.png", "very cloudy"),
        ("very-cloudy_8.png", "very-cloudy"), ("Über_9.png", "Über"), ("cloudy10b.png", "cloudy"),
    ],
)  # fmt: skip
def test_class_is_what_a_file_is_called_before_its_number(tmp_path: Path, name: str, class_name: str) -> None:
    root = tmp_path / "photos"
    write_class(root, "rain", 3)
    for number in range(3):
        stem, suffix = name.rsplit(".", 1)
        write(root / f"{stem}{number}.{suffix}", encoded(picture(number)))

    assert set(load(root).class_names) == {"rain", class_name}


def test_trains_beside_other_vehicles_are_a_class(tmp_path: Path) -> None:
    root = tmp_path / "vehicles"
    write_class(root / "train", "rain", 5)
    write_class(root / "bus", "sun", 5)

    assert load(root).class_names == ("bus", "train")


def test_names_spelled_with_separate_accents_are_the_same_class(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    write_class(root / "train" / "Schn\u00e9e", "snow", 4)
    write_class(root / "train" / "rain", "rain", 4)
    write_class(root / "test" / "Schne\u0301e", "snow", 4, first=50)
    write_class(root / "test" / "rain", "rain", 4, first=50)

    assert load(root).class_names == ("Schn\u00e9e", "rain")


def test_clutter_is_passed_over_and_other_files_are_counted(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos")
    digest = load(root).digest
    clutter = (".DS_Store", "Thumbs.db", "desktop.ini", "rain/._rain1.png", ".git/x.png", "__MACOSX/rain/rain1.png")
    for name in clutter:
        write(root / name, b"clutter")
    for name in ("README.txt", "labels.csv", "rain/notes"):
        write(root / name, b"other")

    images = load(root)

    assert images.profile["n_other_files"] == 3
    assert images.profile["n_files"] == 40
    assert images.digest == digest


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "JPEG", "bmp", "gif", "webp", "tif", "tiff", "ppm", "jfif"])
def test_suffixes_of_images_are_known_in_any_case(tmp_path: Path, suffix: str) -> None:
    root = write_classes(tmp_path / "photos", n_files=3)
    write(root / "sun" / f"one.{suffix}", encoded(picture(7)))

    assert load(root).profile["n_files"] == 7


def test_links_are_followed_but_not_around_in_circles(tmp_path: Path) -> None:
    elsewhere = write_classes(tmp_path / "elsewhere")
    root = tmp_path / "photos"
    write_class(root / "rain", "rain", 4)
    (root / "sun").symlink_to(elsewhere / "sun", target_is_directory=True)
    (root / "rain" / "again").symlink_to(root, target_is_directory=True)
    (root / "rain" / "rain77.png").symlink_to(elsewhere / "rain" / "rain7.png")

    images = load(root)

    assert images.class_names == ("rain", "sun")
    assert images.profile["n_files"] == 25
    assert images.profile["n_duplicate_files"] == 0


def test_digest_is_that_of_the_content_wherever_it_lies(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos")
    images = load(root)
    shutil.copytree(root, tmp_path / "elsewhere" / "copy")
    renamed = tmp_path / "renamed"
    for number, path in enumerate(sorted(root.rglob("*.png"), reverse=True)):
        write(renamed / path.parent.name / f"{number}.png", path.read_bytes())

    for other in (load(tmp_path / "elsewhere" / "copy"), load(renamed)):
        assert other.digest == images.digest
        assert len(other.digest) == 32
        assert open_sealed(other).digest == open_sealed(images).digest
        assert np.array_equal(other.images_at(8).images, images.images_at(8).images)


def changed_label(root: Path) -> None:
    (root / "sun" / "sun1.png").rename(root / "rain" / "sun1.png")


def changed_pixel(root: Path) -> None:
    write(root / "sun" / "sun1.png", encoded(picture(99)))


def changed_class(root: Path) -> None:
    (root / "sun").rename(root / "sunny")


def removed_file(root: Path) -> None:
    (root / "sun" / "sun1.png").unlink()


@pytest.mark.parametrize("change", [changed_label, changed_pixel, changed_class, removed_file])
def test_digest_changes_with_images_and_labels(tmp_path: Path, change: object) -> None:
    root = write_classes(tmp_path / "photos")
    before = load(root).digest

    change(root)  # type: ignore[operator]

    assert load(root).digest != before


def test_digest_changes_with_a_sealed_file_and_with_the_part_of_a_file(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    write_classes(root / "train", n_files=4)
    write_classes(root / "test", n_files=4, first=100)
    before = load(root).digest

    os.rename(root / "test" / "sun" / "sun100.png", root / "train" / "sun" / "sun100.png")
    moved = load(root).digest
    write(root / "test" / "rain" / "rain100.png", encoded(picture(99)))

    assert len({before, moved, load(root).digest}) == 3
