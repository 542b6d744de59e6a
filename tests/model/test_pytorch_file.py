"""A file of tensors is read without PyTorch, and nothing that it names is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.model.pytorch_file import ForeignContentError, read_tensors

torch = pytest.importorskip("torch")


def save(path: Path, content: Any) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_of_any_layout_are_those_that_were_saved(tmp_path: Path) -> None:
    numbers = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    saved = {
        "plain": numbers,
        "turned": numbers.permute(2, 0, 1),
        "part": numbers[1, :, 1:],
        "count": torch.tensor(7),
    }

    read = read_tensors(save(tmp_path / "tensors.pth", saved | {"none": torch.zeros(0)}))

    assert read.pop("none").shape == (0,)
    assert {name: array.dtype.kind for name, array in read.items()} == {name: "if"[name != "count"] for name in saved}
    for name, array in read.items():
        np.testing.assert_array_equal(array, saved[name].numpy())


class Planted:
    """Runs a command where it is loaded by pickle."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("place", ["beside the tensors", "in place of the header"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, place: str) -> None:
    path, trace = tmp_path / "tensors.pth", tmp_path / "trace"
    if place == "beside the tensors":
        save(path, {"one": torch.ones(2), "two": Planted(trace)})
    else:
        path.write_bytes(pickle.dumps(Planted(trace)))

    with pytest.raises(
        ForeignContentError, match=r"must hold named tensors and nothing else \(it names (posix|nt)\.mkdir\)"
    ):
        read_tensors(path)

    assert not trace.exists()


@pytest.mark.parametrize("n_bytes", [0, 10, 200, -1])
def test_file_that_is_cut_off_is_refused(tmp_path: Path, n_bytes: int) -> None:
    path = save(tmp_path / "tensors.pth", {"one": torch.ones(50)})
    path.write_bytes(path.read_bytes()[:n_bytes])

    with pytest.raises(ForeignContentError, match="must hold named tensors"):
        read_tensors(path)


def test_tensor_outside_of_its_storage_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "tensors.pth", {"one": torch.ones(50)})
    content = path.read_bytes()
    assert content.count(b"K2\x85") == 1  # the shape (50,) of the tensor
    path.write_bytes(content.replace(b"K2\x85", b"K3\x85"))

    with pytest.raises(ForeignContentError, match="a tensor lies outside of its storage"):
        read_tensors(path)
