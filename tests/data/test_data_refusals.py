"""Every data set that cannot be used is refused in one line: file, rule, value, fix."""

from __future__ import annotations

import errno
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.image_set import make_image_set
from pipeline.data.image_source import make_array_source
from pipeline.data.partition import make_partition
from pipeline.data.source import load_images
from pipeline.errors import DataError

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([0, 0, 1, 1, 2, 2])
ARRAYS = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS, "y_test": LABELS}
OBJECTS = np.array([{}] * 6, dtype=object)

IMAGE_REFUSALS = [
    (np.zeros((6, 4)), "x_train must have the shape (n, height, width), .* got (6, 4); reshape it"),
    (np.zeros((6, 4, 4, 1, 1)), "got (6, 4, 4, 1, 1); reshape it"),
    (np.zeros((6, 0, 4)), "got (6, 0, 4); reshape it"),
    (np.array(3), "got (); reshape it"),
    (PIXELS * 1j, "x_train must hold numbers, got complex128; convert it to uint8 or float32"),
    (PIXELS.astype(str), "x_train must hold numbers, got <U3; convert it"),
    (np.where(PIXELS == 9, np.nan, PIXELS), "x_train must hold finite pixels, got NaN or infinity; correct or remove"),
    (np.where(PIXELS == 9, np.inf, PIXELS), "x_train must hold finite pixels, got NaN or infinity; correct or remove"),
    (PIXELS * 1e300, "x_train must hold finite pixels, got NaN or infinity; correct or remove"),
    (OBJECTS, "x_train must be a plain array, got pickled objects; save it as numbers"),
]

LABEL_REFUSALS = [
    (LABELS[:5], "y_train must have one label per image, shape (6,) or one-hot (6, classes), got (5,); align it"),
    (np.array(3), "got (); align it with the images"),
    (np.zeros((6, 2, 2)), "got (6, 2, 2); align it with the images"),
    (np.array(list("aabbcc")), "y_train must hold whole numbers, got <U1; number the classes from 0"),
    (np.ones((6, 3)), "one-hot y_train must hold a single 1 in each row; encode it again"),
    (np.eye(3)[LABELS] * 0.5, "one-hot y_train must hold a single 1 in each row; encode it again"),
    (np.array([0, 0, 1, 1, 2, -(2**63)]), "must hold whole numbers from 0, got -9223372036854775808; number"),
    (np.array([0, 0, 1, 1, 2, np.inf], np.float16), "must hold whole numbers from 0, got inf; number"),
    (LABELS * 1e30, "y_train must hold whole numbers from 0, got 1e+30; number"),
    (LABELS - 1, "y_train must hold whole numbers from 0, got -1; number the classes from 0"),
    (LABELS + 0.5, "y_train must hold whole numbers from 0, got 0.5; number the classes from 0"),
    (np.array([0, 0, 1, 1, 2, np.nan]), "y_train must hold whole numbers from 0, got nan; number"),
    (np.array([0, 0, 1, 1, 2, np.inf]), "y_train must hold whole numbers from 0, got inf; number"),
    (LABELS * 10**9, "labels must number the classes without gaps, got 2000000000 with 6 images; number"),
    (LABELS * 0, "at least 2 classes are needed, got 1; add images of another class"),
    (LABELS * 2, "every class must have at least 2 training images, got too few of 1 (0), 3 (0); add images"),
    (np.array([0, 0, 1, 1, 1, 2]), "must have at least 2 training images, got too few of 2 (1); add images"),
    (OBJECTS, "y_train must be a plain array, got pickled objects; save it as numbers"),
]

OTHER_REFUSALS = [
    (
        {"class_names": np.array(["cat", "dog"])},
        "y_train must lie between 0 and 1 (2 classes), got 2; correct the labels",
    ),
    ({"class_names": np.array(["a", "b", "c", "d"])}, "every class must have at least 2 .* too few of d (0); add"),
    ({"class_names": np.array("cat")}, "class_names must be a list of different names, got the shape ()"),
    ({"class_names": np.array(["a", "b", "b"])}, "a list of different names, got the shape (3,) with 2 different"),
    ({"class_names": np.array(["a", None, "b"], dtype=object)}, "class_names must be a plain array (Object arrays"),
    ({"x_test": PIXELS[:, :3]}, "x_train and x_test must hold images of one shape, got (4, 5) and (3, 5); resize"),
    ({"y_test": LABELS[:4]}, "y_test must have one label per image of x_test, got (4,) for (6, 4, 5); align them"),
    ({"x_test": OBJECTS}, "x_test must be a plain array, got pickled objects; save it as numbers"),
    ({"y_test": OBJECTS}, "y_test must be a plain array, got pickled objects; save it as numbers"),
]


def refusal(path: Path) -> str:
    """Return the one line with which the file is refused, less its own path."""
    with pytest.raises(DataError) as caught:
        load_images(str(path), path.parent)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{path}: ")
    assert "; " in message  # the fix
    return message.removeprefix(f"{path}: ")


def refusal_of(tmp_path: Path, **changed: Any) -> str:
    path = tmp_path / "mine.npz"
    arrays: dict[str, Any] = {**ARRAYS, **changed}
    np.savez(path, **arrays)
    return refusal(path)


def assert_holds(message: str, parts: str) -> None:
    """Assert that ``message`` holds the parts, which `` .* `` separates."""
    assert [part for part in parts.split(" .* ") if part not in message] == [], message


@pytest.mark.parametrize(("images", "parts"), IMAGE_REFUSALS)
def test_unfit_images_are_refused(tmp_path: Path, images: Any, parts: str) -> None:
    test_images = images if images.dtype != object else PIXELS
    test_labels = np.zeros(test_images.shape[:1], int)
    assert_holds(refusal_of(tmp_path, x_train=images, x_test=test_images, y_test=test_labels), parts)


@pytest.mark.parametrize(("labels", "parts"), LABEL_REFUSALS)
def test_unfit_labels_are_refused(tmp_path: Path, labels: Any, parts: str) -> None:
    assert_holds(refusal_of(tmp_path, y_train=labels), parts)


@pytest.mark.parametrize(("changed", "parts"), OTHER_REFUSALS)
def test_unfit_class_names_and_test_arrays_are_refused(tmp_path: Path, changed: dict[str, Any], parts: str) -> None:
    assert_holds(refusal_of(tmp_path, **changed), parts)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_members(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


WHOLE = {f"{name}.npy": npy(array) for name, array in ARRAYS.items()}
HUGE = npy(PIXELS).replace(b"(6, 4, 5), }" + b" " * 15, b"(6, 4, 5" + b"0" * 15 + b"), }")  # only says so
MEMBER_REFUSALS = [
    ({k: v for k, v in WHOLE.items() if k != "x_test.npy"}, "must hold x_train, y_train, x_test and y_test, lacks x_t"),
    ({k.removesuffix(".npy"): v for k, v in WHOLE.items()}, "lacks x_train, y_train, x_test, y_test; add them"),
    ({**WHOLE, "x_train.npy": b"no array"}, "not a readable .npz ("),
    ({**WHOLE, "y_test.npy": b""}, "not a readable .npz ("),
    ({**WHOLE, "x_train.npy": npy(PIXELS)[:-9]}, "x_train must be a plain array (EOF: reading array data"),
    ({**WHOLE, "x_train.npy": HUGE, "x_test.npy": HUGE}, "not a readable .npz (Unable to allocate"),
]


@pytest.mark.parametrize(("members", "part"), MEMBER_REFUSALS)
def test_unfit_members_are_refused(tmp_path: Path, members: dict[str, bytes], part: str) -> None:
    assert part in refusal(write_members(tmp_path / "mine.npz", members))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 hello"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(content)

    assert refusal(path) == "not a readable .npz (File is not a zip file); write it again with numpy.savez"


def test_archive_that_may_not_be_read_is_to_be_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # as it is for everybody but root

    path = write_members(tmp_path / "mine.npz", WHOLE)
    monkeypatch.setattr(zipfile, "ZipFile", refuse)

    assert refusal(path) == "not a readable .npz (Permission denied); give yourself the permission to read it"


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = write_members(tmp_path / "mine.npz", WHOLE)
    path.write_bytes(path.read_bytes()[:-200])

    assert "not a readable .npz (" in refusal(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_training_images_are_refused(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "mine.npz"
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 50), np.uint8)
    save(path, **{**ARRAYS, "x_train": images, "x_test": images})
    content = bytearray(path.read_bytes())
    content[1_000:1_200] = bytes(200)
    path.write_bytes(content)

    assert "not a readable .npz (" in refusal(path)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("cifar", "got 'cifar'; did you mean 'cifar10'?"),
        ("mnsit", "got 'mnsit'; did you mean 'mnist'?"),
        ("photos", "got 'photos'; use one of: cifar10, cifar100, digits, fashion_mnist, mnist"),
        ("photos/", f"dataset 'photos' is neither a file nor a folder in '{Path.cwd()}'; check the path"),
        ("/no.npz", "dataset '/no.npz' is neither a file nor a folder; check the path"),
    ],
)
def test_unknown_data_set_is_refused(tmp_path: Path, dataset: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_images(dataset, tmp_path)

    assert str(caught.value).endswith(message)


@pytest.mark.usefixtures("offline")
def test_failed_download_says_which_file_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_images("mnist", tmp_path / "data")

    message = str(caught.value)
    assert message.splitlines() == [message]
    assert_holds(message, "data set 'mnist' is not at .* URL fetch failure .* put a file mnist.npz .* --data-dir")
    assert not (tmp_path / "data" / "mnist.npz").exists()


def test_split_is_refused_where_classes_outnumber_half_the_images() -> None:
    images = make_image_set(name="few", source="few", images=PIXELS, labels=LABELS)

    message = r"^few: 3 classes need 3 different images or more on each side of the split, got 5 .* add images"
    with pytest.raises(DataError, match=message):
        make_partition(make_array_source(images.subset(np.arange(5))), seed=0)
