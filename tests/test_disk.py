"""Folders that cannot be written, and disks that are full: how that is found out and told."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest

from pipeline.disk import RESERVE_BYTES, Reserve, check_folder, describe_disk_full, is_disk_full
from pipeline.errors import DiskFull, FolderError

Usage = namedtuple("Usage", "total used free")
FULL = OSError(errno.ENOSPC, "No space left on device")


def led_to_by(cause: Exception) -> Exception:
    try:
        raise RuntimeError("the commit failed") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (FULL, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (RuntimeError("Can't write data (errno = 28, error message = 'No space left on device')"), True),
        (led_to_by(FULL), True),
        (led_to_by(sqlite3.OperationalError("database or disk is full")), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (led_to_by(sqlite3.OperationalError("database is locked")), False),
        (None, False),
    ],
)
def test_full_disk_is_told_from_other_errors(error: Exception | None, is_full: bool) -> None:
    assert is_disk_full(error) is is_full


def test_check_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "some" / "where", n_bytes=1000)
    check_folder(tmp_path, n_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_folder_without_room_is_refused_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: int) -> None:
        raise FULL

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9, 3_000_000))
    with pytest.raises(FolderError, match=r"some/where' must have room for 32 MB, got 3 MB; free some space") as caught:
        check_folder(tmp_path / "some" / "where", n_bytes=32_000_000)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_reserve_is_kept_inside_and_free_before_the_end_is_written(tmp_path: Path) -> None:
    reserve = Reserve.beside(tmp_path / "my.study.log")
    with reserve.kept():
        (file,) = tmp_path.iterdir()
        assert (file.name, file.stat().st_size) == ("my.study.reserve", RESERVE_BYTES)
        assert file.stat().st_blocks * 512 >= RESERVE_BYTES
    assert list(tmp_path.iterdir()) == []


def test_full_disk_inside_becomes_one_error_that_names_the_folder(tmp_path: Path) -> None:
    reserve = Reserve.beside(tmp_path / "tiny.log")
    line = r"^the disk of '.*' is full: .* MB are free, 32 MB are needed"
    with pytest.raises(DiskFull, match=line) as caught, reserve.kept():
        raise led_to_by(FULL)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no"), reserve.kept():
        raise ValueError("no")


def test_work_ends_while_there_is_still_a_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve.beside(tmp_path / "tiny.log")
    reserve.check()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9, 1_000_000))
    with pytest.raises(DiskFull, match="1 MB are free"):
        reserve.check()


def test_the_fullest_of_several_disks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    free = {tmp_path / "full": 1000}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, free.get(folder, 10**8)))
    assert describe_disk_full(tmp_path, tmp_path / "full").startswith(
        f"the disk of '{tmp_path / 'full'}' is full: 0 MB"
    )
