"""Unforeseen failures: one line on the screen, the traceback in the log."""

from __future__ import annotations

import logging
import os
import tempfile
import traceback
from pathlib import Path

from pipeline.disk import describe_disk_full, is_disk_full
from pipeline.errors import describe_failure
from pipeline.masking import mask_passwords


def log_of_command() -> Path | None:
    """Return the file that takes the messages of libraries; None before a command has one."""
    files = [Path(one.baseFilename) for one in logging.root.handlers if isinstance(one, logging.FileHandler)]
    return files[0] if files else None


def describe_unforeseen(error: Exception, log: Path | None) -> str:
    """Write the traceback of an error to the log; return what it is, its cause and where the traceback is.

    Where there is no log, or it cannot be written, it goes to a file in the folder of temporary files.
    """
    if is_disk_full(error):
        return describe_disk_full(*([log.parent] if log else []), Path.cwd())
    text = mask_passwords("".join(traceback.format_exception(error)))
    written = _append(text, log) or _append(text, _new_log())
    where = f"the traceback is in {written}" if written else "the traceback could not be written anywhere"
    return f"unforeseen failure: {_with_cause(error)}; {where}"


def _with_cause(error: Exception) -> str:
    cause = error.__cause__
    own = describe_failure(error)
    return own if not isinstance(cause, Exception) else f"{own} (because of {describe_failure(cause)})"


def _append(text: str, log: Path | None) -> Path | None:
    """Return the file where the text could be written."""
    if log is None:
        return None
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return log


def _new_log() -> Path | None:
    try:
        descriptor, path = tempfile.mkstemp(prefix="knobsearch-", suffix=".log")
    except OSError:
        return None
    os.close(descriptor)
    return Path(path)
