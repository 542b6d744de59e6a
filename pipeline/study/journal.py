"""Optuna's journal: whether a file is one, and lines of it that were cut off, by a power cut or a full disk.

Optuna reads up to a last line that is unfinished, appends its next record to that very line, and can then read no line
after it. So nobody has ever read what stands in such a line or seen its effect: to leave it out loses nothing that
anything after it depends on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file

from pipeline.disk import check_folder
from pipeline.errors import FolderError, SettingError

_RECORD = b'{"op_code":'  # the start of each record
# What Optuna passes over: an attribute of a study that there is not.
_EMPTY_RECORD = b'{"op_code":2,"worker_id":"","study_id":-1,"user_attr":{"":0}}'


@dataclass(frozen=True)
class Line:
    """A line of a journal: its number from 1, where it starts in the file, and its bytes with the line's end."""

    number: int
    start: int
    content: bytes

    @property
    def is_whole(self) -> bool:
        """Whether it has its end."""
        return self.content.endswith(b"\n")

    @property
    def is_readable(self) -> bool:
        """Whether it is one whole record."""
        return self.is_whole and _is_record(self.content)

    @property
    def is_cut_off(self) -> bool:
        """Whether it is the beginning of a record, alone or with a whole one appended to it."""
        appended = self.content.rfind(_RECORD)
        if self.is_whole:
            return appended > 0 and _is_record(self.content[appended:]) and len(self.content) > len(_EMPTY_RECORD)
        return self.content.startswith(_RECORD) or _RECORD.startswith(self.content)


def check_journal(path: Path) -> None:
    """Check that a file is a journal, or can be made; nothing is left of it.

    Raises:
        SettingError: it is another file, or cannot be read or made.
    """
    try:
        if not os.path.lexists(path):
            check_folder(path.parent)
            return
        if not path.is_file():
            raise _refusal(path, "it is no file")
        with path.open("rb") as file:
            first = Line(1, 0, file.readline())
    except FolderError as error:
        raise _refusal(path, str(error).rpartition(";")[0]) from error
    except OSError as error:
        raise _refusal(path, str(error.strerror)) from error
    if first.content and not (first.is_readable or first.is_cut_off):
        raise _refusal(path, "it has other content")


def damaged_lines(path: Path) -> list[Line]:
    """Return the lines that cannot be read and that were cut off, or are the last.

    Raises:
        SettingError: another line cannot be read, and what stands after it may depend on it.
    """
    if not path.exists():
        return []
    found, size = list(_unreadable_lines(path)), path.stat().st_size
    for line in found:
        if not line.is_cut_off and line.start + len(line.content) < size:
            raise SettingError(
                f"the lines of a journal must be records of Optuna, but line {line.number} of '{path}' is none, and "
                "was not cut off either; restore a copy of the file, or give --study or --storage another name"
            )
    return found


def set_aside(path: Path) -> str | None:
    """Move the damaged lines of a journal into a file beside it; return what was done, in a line for people.

    A last line is taken off; in the place of another one an empty record of its length is written, so that no other
    byte moves and processes that have the journal open read on. Nobody writes meanwhile: Optuna's lock is held.
    """
    aside = path.with_name(f"{path.name}.torn-{datetime.now():%Y%m%dT%H%M%S}")
    with get_lock_file(JournalFileSymlinkLock(str(path))):
        lines = damaged_lines(path)
        if not lines:  # what was seen before was a line that somebody was writing
            return None
        with aside.open("ab") as file:
            file.writelines(line.content for line in lines)
        with path.open("r+b") as journal:
            for line in lines:
                _take_out(line, journal)
    numbers = ", ".join(str(line.number) for line in lines)
    n_bytes = sum(len(line.content) for line in lines)
    return f"the journal {path} was cut off in line {numbers}: {n_bytes} bytes are set aside in {aside.name}"


class WholeRecords(JournalFileBackend):
    """Optuna's journal file, to which records are appended whole or not at all."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records.

        Raises:
            OSError: they could not be written; what there was of them is taken off again.
        """
        records = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        with get_lock_file(self._lock), open(self._file_path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                _write_all(file.fileno(), "".join(records).encode())
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _take_out(line: Line, journal: Any) -> None:
    journal.seek(line.start)
    if journal.read()[len(line.content) :]:
        journal.seek(line.start)
        journal.write(_EMPTY_RECORD.ljust(len(line.content) - 1) + b"\n")
    else:
        journal.truncate(line.start)


def _unreadable_lines(path: Path) -> Iterator[Line]:
    """Yield the lines that cannot be read; the many that begin and end as records do are not parsed here."""
    start = 0
    with path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            line, start = Line(number, start, content), start + len(content)
            looks_whole = content.startswith(_RECORD) and content.endswith(b"}\n") and content.count(_RECORD) == 1
            if not looks_whole and not line.is_readable:
                yield line


def _is_record(content: bytes) -> bool:
    try:
        record = json.loads(content)
    except ValueError:
        return False
    return isinstance(record, dict) and "op_code" in record and "worker_id" in record


def _refusal(path: Path, reason: str) -> SettingError:
    return SettingError(
        f"storage must be a journal of Optuna or a path where one can be made, got '{path}' ({reason}); change "
        "--storage, or leave it out"
    )
