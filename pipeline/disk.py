"""Folders on the disk: whether they can be written, and have room."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from pipeline.errors import FolderError


def check_folder(folder: Path, *, n_bytes: int = 0) -> None:
    """Check that files of ``n_bytes`` can be written in a folder, made where it is missing; nothing is left of it.

    Raises:
        FolderError: they cannot; the reason is the system's.
    """
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            allocate(file.fileno(), n_bytes)
    except OSError as error:
        raise FolderError(_refusal(folder, n_bytes, error)) from error
    finally:
        for one in missing:
            with suppress(OSError):
                one.rmdir()


def allocate(descriptor: int, n_bytes: int) -> None:
    """Have the disk keep ``n_bytes`` for an open file.

    Raises:
        OSError: there is not so much room.
    """
    if hasattr(os, "posix_fallocate"):
        if n_bytes:
            os.posix_fallocate(descriptor, 0, n_bytes)
    else:  # macOS and Windows
        for start in range(0, n_bytes, 2**20):
            os.write(descriptor, bytes(min(2**20, n_bytes - start)))


def _refusal(folder: Path, n_bytes: int, error: OSError) -> str:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        reason = "a file is in its place" if isinstance(error, FileExistsError) else error.strerror
        return f"the folder '{folder}' must be one that can be written ({reason}); work in another folder"
    free = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.exists())).free
    return (
        f"the folder '{folder}' must have room for {megabytes(n_bytes)}, but {megabytes(free)} are free; "
        "free some space, or work in another folder"
    )


def megabytes(n_bytes: int) -> str:
    """Return a number of bytes in MB, for people."""
    return f"{n_bytes / 1e6:.0f} MB"
