"""Every folder of photographs that cannot be used is refused in one line, and nothing is kept of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pictures import encoded, load, picture, write, write_class, write_classes
from PIL import Image

from pipeline.data.source import load_images
from pipeline.errors import DataError


def refusal(root: Path, cache: Path | None = None) -> str:
    """Return the one line with which a folder is refused, less its own path."""
    with pytest.raises(DataError) as caught:
        load(root, cache)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.isprintable()
    assert "; " in message  # the fix
    assert not (cache or root.parent / f"{root.name}-cache").exists()
    return message.removeprefix(f"{root}: ")


def assert_holds(message: str, *parts: str) -> None:
    assert [part for part in parts if part not in message] == [], message


def nothing(root: Path) -> None:
    root.mkdir()


def only_other_files(root: Path) -> None:
    for name in ("README.txt", "sun/rain.heic"):
        write(root / name, b"text")


def loose_beside_folders(root: Path) -> None:
    write_classes(root, n_files=4)
    write(root / "sun1.png", encoded(picture()))


def split_beside_classes(root: Path) -> None:
    write_classes(root / "train", n_files=4)
    write_class(root / "more", "sun", 3)


def split_without_train(root: Path) -> None:
    for folder in ("validation", "test"):
        write_classes(root / folder, n_files=4)


def two_for_validation(root: Path) -> None:
    for folder in ("train", "val", "valid"):
        write_classes(root / folder, n_files=4)


def unsorted_test(root: Path) -> None:
    write_classes(root / "train", n_files=4)
    write(root / "test" / "1.png", encoded(picture()))


def names_in_train(root: Path) -> None:
    for name in ("rain", "sun"):
        write_class(root / "train", name, 4)


def other_classes_in_test(root: Path) -> None:
    write_classes(root / "train", n_files=4)
    write_classes(root / "test", n_files=4, first=10)
    write_class(root / "test" / "snow", "snow", 2)


def empty_validation(root: Path) -> None:
    write_classes(root / "train", n_files=4)
    (root / "validation").mkdir()


def one_class(root: Path) -> None:
    write_class(root / "sun", "sun", 9)


def one_class_in_names(root: Path) -> None:
    for number in range(5):
        write(root / f"IMG_{number}.png", encoded(picture(number)))


def nameless(root: Path) -> None:
    write_class(root, "sun", 4)
    for name in ("1.png", "rain.png", "_7.png"):
        write(root / name, encoded(picture()))


def classes_by_capitals(root: Path) -> None:
    write_classes(root, n_files=4)
    write_class(root / "Sun", "sun", 4)


def odd_class_name(root: Path) -> None:
    write_class(root / "sun\nshine", "sun", 4)
    write_class(root / "rain", "rain", 4)


def class_without_images(root: Path) -> None:
    write_classes(root, n_files=4)
    (root / "snow").mkdir()
    write(root / "annotations" / "list.txt", b"text")


def few_of_a_class(root: Path) -> None:
    write_classes(root, n_files=4)
    write_class(root / "snow", "snow", 2)


def few_different_of_a_class(root: Path) -> None:
    write_classes(root, n_files=4)
    for name in ("a.png", "b.png", "c.png"):
        write(root / "snow" / name, encoded(picture()))


def validation_is_a_copy_of_test(root: Path) -> None:
    write_classes(root / "train", n_files=4)
    for folder in ("validation", "test"):
        write_classes(root / folder, n_files=2, first=10)


REFUSALS: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (nothing, ("photographs must lie in one folder per class", "got no image among 0 files; check the path")),
    (only_other_files, ("got no image among 2 files; check the path",)),
    (loose_beside_folders, ("got a mixture (sun1.png, rain/rain0.png); move one or the other away",)),
    (split_beside_classes, ("got a mixture (train beside more); move one or the other away",)),
    (split_without_train, ("one called train", "got test, validation; rename or merge them")),
    (two_for_validation, ("at most one for validation", "got train, val, valid; rename or merge them")),
    (unsorted_test, ("must lie in class folders, got test/1.png; move them",)),
    (names_in_train, ("must lie in class folders, got train/rain0.png", "and 3 more; move them")),
    (other_classes_in_test, ("every part must have the same classes, got snow in train or test alone; add the",)),
    (empty_validation, ("the same classes, got rain, sun in train or validation alone; add the missing",)),
    (one_class, ("got sun as the only class; add another class, or check the path",)),
    (one_class_in_names, ("got IMG as the only class; add another class, or check the path",)),
    (nameless, ("letters before a number (rain12.jpg), got 1.png, _7.png, rain.png; rename them, or move all",)),
    (classes_by_capitals, ("must differ by more than capital letters, got Sun, sun; rename them",)),
    (odd_class_name, ("names of classes must be printable text, got sun?shine; rename them",)),
    (class_without_images, ("3 or more different photographs for train, got too few of annotations (0), snow (0);",)),
    (few_of_a_class, ("3 or more different photographs for train, got too few of snow (2); add photographs",)),
    (few_different_of_a_class, ("3 or more different photographs for train, got too few of snow (1); add",)),
    (validation_is_a_copy_of_test, ("1 or more different photographs for validation, got too few of rain (0), sun",)),
]


@pytest.mark.parametrize(("make", "parts"), REFUSALS, ids=[make.__name__ for make, _ in REFUSALS])
def test_folder_without_a_clear_layout_or_enough_photographs_is_refused(
    tmp_path: Path, make: Callable[[Path], None], parts: tuple[str, ...]
) -> None:
    make(tmp_path / "photos")

    assert_holds(refusal(tmp_path / "photos"), *parts)


BROKEN = {
    "empty.png": (b"", "empty"),
    "text.jpg": (b"this is text", "no image"),
    "head.png": (encoded(picture())[:10], "no image"),
    "page.png": (b"%PDF-1.4 and so on", "no image"),
    "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
    "short.png": (encoded(picture(size=(64, 64)))[:-2000], "truncated"),
    "short.jpg": (encoded(picture(size=(64, 64)), "JPEG")[:-300], "truncated"),
    "short.gif": (encoded(picture(size=(64, 64)), "GIF")[:-500], "truncated"),
    "short.bmp": (encoded(picture(size=(64, 64)), "BMP")[:-500], "truncated"),
    "short.webp": (encoded(picture(size=(64, 64)), "WEBP")[:-100], "damaged"),
    "huge.png": (encoded(Image.new("1", (14_000, 14_000))), "too many pixels"),
}


@pytest.mark.parametrize(("name", "content", "reason"), [(name, *rest) for name, rest in BROKEN.items()], ids=BROKEN)
def test_file_that_is_no_whole_image_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    root = write_classes(tmp_path / "photos", n_files=4)
    write(root / "sun" / name, content)

    message = refusal(root)

    assert_holds(message, f"1 of 9 files cannot be read as images: sun/{name} ({reason}); repair or remove them")


def test_all_broken_files_are_counted_in_one_line(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=4)
    for number in range(9):
        write(root / "rain" / f"broken{number}.jpg", b"")

    message = refusal(root)

    assert_holds(message, "9 of 17 files cannot be read", "rain/broken0.jpg (empty), rain/broken1.jpg", "and 4 more;")


def test_broken_file_of_the_test_part_is_found_before_a_search(tmp_path: Path) -> None:
    for first, folder in ((0, "train"), (10, "test")):
        write_classes(tmp_path / "photos" / folder, n_files=4, first=first)
    write(tmp_path / "photos" / "test" / "sun" / "bad.png", b"no")

    assert "test/sun/bad.png (no image)" in refusal(tmp_path / "photos")


def test_link_to_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=4)
    (root / "sun" / "gone.png").symlink_to(tmp_path / "nowhere.png")

    assert "sun/gone.png (No such file or directory)" in refusal(root)


def test_line_breaks_in_names_of_files_do_not_break_the_line(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=4)
    write(root / "sun" / "a\nb.png", b"")

    assert "sun/a?b.png (empty)" in refusal(root)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be a user like any other, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_folder_that_may_not_be_read_is_refused(open_folder: Path) -> None:
    root = write_classes(open_folder / "photos", n_files=4)
    (root / "sun").chmod(0)

    with without_privileges(), pytest.raises(DataError) as caught:
        load(root)

    (root / "sun").chmod(0o755)  # so that it can be removed
    assert str(caught.value) == (
        f"{root / 'sun'}: the folder cannot be read (Permission denied); change its permissions, or move it away"
    )


def test_file_that_may_not_be_read_is_refused(open_folder: Path) -> None:
    root = write_classes(open_folder / "photos", n_files=4)
    (root / "sun" / "sun1.png").chmod(0)

    with without_privileges():
        message = refusal(root)

    assert "sun/sun1.png (Permission denied)" in message


@pytest.mark.parametrize(
    ("dataset", "parts"),
    [
        ("no/such/folder", ("'no/such/folder' is neither a file nor a folder in '", "check the path")),
        ("cifra10", ("the path of an .npz file or that of a folder", "got 'cifra10'; did you mean 'cifar10'?")),
    ],
)
def test_path_that_leads_nowhere_is_refused(tmp_path: Path, dataset: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        load_images(dataset, tmp_path)

    assert_holds(str(caught.value), *parts)


def test_single_photograph_is_no_data_set(tmp_path: Path) -> None:
    path = write(tmp_path / "one.png", encoded(picture()))

    with pytest.raises(DataError, match=r"dataset must be .* a folder of photographs, got '.*one\.png'"):
        load_images(str(path), tmp_path)
