"""How often a training writes its checkpoint, and what happens where it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from checkpoints import checkpoint_of

from pipeline.training.checkpoint import Checkpoint, read_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter


@dataclass
class Clock:
    """A clock that stands still unless it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Slow:
    """Takes a checkpoint in some seconds of the clock."""

    clock: Clock
    seconds: float

    def __call__(self) -> Checkpoint:
        self.clock.now += self.seconds
        return checkpoint_of()


@pytest.mark.parametrize(("seconds", "apart"), [(0.0, 1.0), (0.001, 1.0), (0.25, 25.0), (2.0, 200.0)])
def test_checkpoints_take_a_hundredth_of_the_time_and_come_once_a_second_at_most(
    tmp_path: Path, seconds: float, apart: float
) -> None:
    clock = Clock()
    writer = CheckpointWriter(tmp_path / "a.npz", clock)
    writer.write(Slow(clock, seconds))

    assert not writer.is_due()
    clock.now += apart - 0.01
    assert not writer.is_due()
    clock.now += 0.02
    assert writer.is_due()


def test_first_checkpoint_is_due_a_second_after_the_start(tmp_path: Path) -> None:
    clock = Clock()
    writer = CheckpointWriter(tmp_path / "a.npz", clock)

    assert not writer.is_due()
    clock.now += 1
    assert writer.is_due()


def test_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    clock, path = Clock(), tmp_path / "file" / "a.npz"
    writer = CheckpointWriter(path, clock)

    writer.write(Slow(clock, 0.5))

    assert read_checkpoint(path) is None
    assert str(path) in caplog.text
    assert "goes on without it" in caplog.text
    clock.now += 49
    assert not writer.is_due(), "a write that failed took time, too"
