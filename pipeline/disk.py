"""Folders on the disk: whether they can be written, and what happens when the disk is full."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from pipeline.errors import DiskFull, FolderError

RESERVE_BYTES = 16_000_000  # enough to write how runs and trials ended
_RESERVE_SUFFIX = ".reserve"
_LEAST_FREE_BYTES = 4_000_000  # below it no training goes on
ROOM_BYTES = 32_000_000  # that a command wants to begin
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SIGNS = ("No space left on device", "database or disk is full", "Disk quota exceeded")  # of libraries' own errors


def check_folder(folder: Path, *, n_bytes: int = 0, fix: str = "work in another folder") -> None:
    """Check that files of ``n_bytes`` can be written in a folder, made where it is missing; nothing is left of it.

    Raises:
        FolderError: they cannot; the reason is the system's, and ``fix`` says what to do.
    """
    try:
        with made_meanwhile(folder), TemporaryFile(dir=folder) as file:
            _allocate(file.fileno(), n_bytes)
    except OSError as error:
        raise FolderError(_refusal(folder, n_bytes, fix, error)) from error


@contextmanager
def made_meanwhile(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; in the end remove those of them that were missing, where they are empty."""
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in missing:
            with suppress(OSError):
                one.rmdir()


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, says that the disk is full."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in _FULL) or any(sign in str(error) for sign in _SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


def describe_disk_full(*folders: Path) -> str:
    """Return a line that names the folder, of those given and that of temporary files, with the least room."""
    fullest = min((*folders, Path(tempfile.gettempdir())), key=_free)
    return (
        f"the disk of '{fullest}' is full: {_megabytes(_free(fullest))} are free, {_megabytes(ROOM_BYTES)} are needed "
        "to go on; free some space and repeat the command"
    )


@dataclass(frozen=True)
class Reserve:
    """Room on the disk that a command keeps, in a file, for an orderly end when all other room is used up."""

    file: Path

    @classmethod
    def beside(cls, log: Path) -> Reserve:
        """Return the reserve of the command that has this log."""
        return cls(log.with_suffix(_RESERVE_SUFFIX))

    @classmethod
    def all_in(cls, folder: Path) -> list[Reserve]:
        """Return the reserves that commands keep in a folder, or have left there when they were killed."""
        return [cls(file) for file in sorted(folder.glob(f"*{_RESERVE_SUFFIX}"))]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the reserve inside, and give it free at the end.

        Raises:
            DiskFull: the disk was full, there already or in what was done inside.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("wb") as file:
                _allocate(file.fileno(), RESERVE_BYTES)
            yield
        except Exception as error:
            if is_disk_full(error) and not isinstance(error, DiskFull):
                raise DiskFull(describe_disk_full(self.file.parent)) from error
            raise
        finally:
            self.file.unlink(missing_ok=True)

    def check(self) -> None:
        """Check that there is still room to write.

        Raises:
            DiskFull: there is hardly any.
        """
        if _free(self.file.parent) < _LEAST_FREE_BYTES:
            raise DiskFull(describe_disk_full(self.file.parent))


def _allocate(descriptor: int, n_bytes: int) -> None:
    """Have the disk keep ``n_bytes`` for an open file."""
    if hasattr(os, "posix_fallocate"):
        if n_bytes:
            os.posix_fallocate(descriptor, 0, n_bytes)
    else:  # macOS and Windows
        for start in range(0, n_bytes, 2**20):
            os.write(descriptor, bytes(min(2**20, n_bytes - start)))


def _refusal(folder: Path, n_bytes: int, fix: str, error: OSError) -> str:
    if error.errno not in _FULL:
        reason = "a file is in its place" if isinstance(error, FileExistsError) else error.strerror
        return f"the folder '{folder}' must be one that can be written ({reason}); {fix}"
    return (
        f"the folder '{folder}' must have room for {_megabytes(n_bytes)}, got {_megabytes(_free(folder))}; "
        f"free some space, or {fix}"
    )


def _free(folder: Path) -> int:
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    return shutil.disk_usage(there).free


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f} MB"
