"""Files of checkpoints: what is written is read, and nothing else is; a budget for a folder of them."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from checkpoints import checkpoint_of

from pipeline.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pipeline.training.ending import Cause, Ending


@pytest.mark.parametrize("ending", [None, Ending(Cause.PRUNED, "0.5 is not among the best: »schlecht«")])
def test_checkpoint_is_read_as_it_was_written(tmp_path: Path, ending: Ending | None) -> None:
    written = checkpoint_of(ending=ending)
    write_checkpoint(tmp_path / "a.npz", written)

    read = read_checkpoint(tmp_path / "a.npz")

    assert read is not None
    for name in ("variables", "optimizer_variables", "best_weights"):
        ours, theirs = getattr(written, name), getattr(read, name)
        assert [(a.dtype, a.shape, a.tobytes()) for a in ours] == [(a.dtype, a.shape, a.tobytes()) for a in theirs]
    assert repr(read.epochs) == repr(written.epochs)
    assert (read.train_seconds, read.ending) == (written.train_seconds, ending)
    assert (read.steps, read.seconds_used) == (written.steps, written.seconds_used)


def test_there_is_no_checkpoint_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "a.npz") is None
    assert read_checkpoint(tmp_path) is None
    assert read_checkpoint(tmp_path / "a" / "b.npz") is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_file_that_was_cut_off_is_no_checkpoint(tmp_path: Path, share: float, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.npz"
    write_checkpoint(path, checkpoint_of())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    assert read_checkpoint(path) is None
    assert str(path) in caplog.text


def test_file_with_one_bit_changed_in_its_arrays_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint = checkpoint_of(n_values=1000)
    write_checkpoint(path, checkpoint)
    content = bytearray(path.read_bytes())
    content[content.index(checkpoint.variables[0].tobytes()) + 400] ^= 1
    path.write_bytes(content)

    assert read_checkpoint(path) is None


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"a": 1}), b"PK\x03\x04" + b"\0" * 100])
def test_file_of_another_kind_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)

    assert read_checkpoint(tmp_path / "a.npz") is None


class Bomb:
    """Makes a folder where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", scalars=np.array([Bomb()], dtype=object))

    assert read_checkpoint(tmp_path / "a.npz") is None
    assert not Path("unpickled").exists()


def change_scalars(path: Path, before: str, after: str) -> None:
    """Replace a piece of the JSON in a checkpoint."""
    with np.load(path) as arrays:
        parts = dict(arrays)
    text = parts["scalars"].tobytes().decode()
    assert before in text
    np.savez(path, **{**parts, "scalars": np.frombuffer(text.replace(before, after).encode(), np.uint8)})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"format": 2', '"format": 1'),
        ('"val_loss"', '"loss_of_validation"'),
        ('"cause": "pruned"', '"cause": "bored"'),
        ('"variables": 2', '"variables": 3'),
        ('"train_seconds"', '"seconds"'),
    ],
    ids=["format", "epoch", "cause", "number of arrays", "missing"],
)
def test_file_of_another_version_is_no_checkpoint(
    tmp_path: Path, before: str, after: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(tmp_path / "a.npz", checkpoint_of(ending=Ending(Cause.PRUNED)))
    change_scalars(tmp_path / "a.npz", before, after)

    assert read_checkpoint(tmp_path / "a.npz") is None
    assert "left aside" in caplog.text


def test_checkpoint_takes_the_place_of_the_one_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.npz"
    write_checkpoint(path, checkpoint_of())
    write_checkpoint(path, checkpoint_of(n_values=5))

    read = read_checkpoint(path)

    assert read is not None
    assert len(read.best_weights[0]) == 5
    assert list(path.parent.iterdir()) == [path]


def test_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    write_checkpoint(path, checkpoint_of())

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(path, checkpoint_of(n_values=5))

    read = read_checkpoint(path)
    assert read is not None
    assert len(read.best_weights[0]) == 3
    assert list(tmp_path.iterdir()) == [path]


def age(path: Path, seconds: float) -> None:
    used = path.stat().st_mtime - seconds
    os.utime(path, (used, used))


def test_longest_unused_checkpoints_go_beyond_the_budget(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.npz" for name in "abc"]
    for path, seconds in zip(paths, (30, 20, 10), strict=True):
        write_checkpoint(path, checkpoint_of(n_values=1000))
        age(path, seconds)
    left_by_a_killed_process = tmp_path / "d.npz.123.partial"
    left_by_a_killed_process.write_bytes(b"x" * 9000)
    age(left_by_a_killed_process, 100)
    (tmp_path / "notes.txt").write_text("x" * 50_000)
    assert read_checkpoint(paths[0]) is not None, "and so it was used last"

    size = paths[0].stat().st_size
    write_checkpoint(tmp_path / "e.npz", checkpoint_of(n_values=1000), most_bytes=3 * size)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "c.npz", "e.npz", "notes.txt"]


def test_newest_checkpoint_stays_whatever_the_budget(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.npz", checkpoint_of())
    write_checkpoint(tmp_path / "b.npz", checkpoint_of(), most_bytes=1)

    assert [path.name for path in tmp_path.iterdir()] == ["b.npz"]


def test_checkpoint_is_a_plain_npz(tmp_path: Path) -> None:
    checkpoint: Checkpoint = checkpoint_of()
    write_checkpoint(tmp_path / "a.npz", checkpoint)

    assert zipfile.is_zipfile(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert sorted(arrays) == [
            "best_weights.0", "optimizer_variables.0", "optimizer_variables.1", "scalars", "variables.0", "variables.1",
        ]  # fmt: skip
