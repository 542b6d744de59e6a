"""How often a training writes its checkpoint, and what happens where it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from checkpoints import checkpoint_of

from pipeline.training import checkpoint_writer
from pipeline.training.checkpoint import Checkpoint, read_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter


@dataclass
class Clock:
    """A clock that stands still unless it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock by which each write takes a quarter of a second."""
    clock, write = Clock(), checkpoint_writer.write_checkpoint

    def write_slowly(path: Path, checkpoint: Checkpoint) -> None:
        clock.now += 0.25
        write(path, checkpoint)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", write_slowly)
    return clock


def written(path: Path) -> float | None:
    """Return the seconds by which a test tells its checkpoints apart."""
    checkpoint = read_checkpoint(path)
    return None if checkpoint is None else checkpoint.train_seconds


def numbered(seconds: float) -> Checkpoint:
    return replace(checkpoint_of(), train_seconds=seconds)


def test_each_epoch_is_written_where_the_writing_takes_a_twentieth_of_the_time(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a.npz"
    writer = CheckpointWriter(path, clock)
    for number, seconds_later in enumerate((0.01, 5.0, 5.0, 4.9, 0.2, 4.7, 0.2)):
        clock.now += seconds_later
        writer.hold(numbered(number))
        assert written(path) == [0, 1, 2, 2, 4, 4, 4][number]


def test_checkpoint_that_is_held_is_written_when_it_is_asked_for_and_only_once(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a.npz"
    writer = CheckpointWriter(path, clock)
    writer.save()
    assert not path.exists()
    writer.hold(numbered(0))
    writer.hold(numbered(1))
    writer.hold(numbered(2))
    assert written(path) == 0

    writer.save()
    assert written(path) == 2
    path.unlink()
    writer.save()
    assert not path.exists()


def test_folder_that_cannot_be_written_is_a_warning(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "a.npz"
    writer = CheckpointWriter(path, clock)

    writer.hold(numbered(1))
    writer.save()

    assert read_checkpoint(path) is None
    assert str(path) in caplog.text
    assert "goes on without it" in caplog.text
