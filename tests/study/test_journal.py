"""Journals that were cut off: what cannot be read is set aside, and every other record stays as it was."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from workplace import Workplace

from pipeline.errors import InputError, SettingError
from pipeline.study import journal as journal_module
from pipeline.study.journal import check_journal, damaged_lines
from pipeline.study.storage import mend_journal, open_storage

optuna.logging.set_verbosity(optuna.logging.WARNING)
TORN = b'{"op_code":8,"worker_id":"0b1e","trial_id":1,"user_at'


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the journal of a study of two finished trials."""
    path = tmp_path / "tiny.journal"
    study = optuna.create_study(storage=open_storage(str(path)), study_name="tiny", direction="maximize")
    for value in (0.25, 0.75):
        study.tell(study.ask(), value)
    return path


def values(path: Path) -> list[float | None]:
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(path)))
    return [trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))]


def append_as_others_do(path: Path) -> None:
    """Go on with a study without looking whether its last line is whole, until Optuna sees what it has done."""
    with pytest.raises(json.JSONDecodeError):  # noqa: PT012 - whichever of them reads first
        study = optuna.load_study(study_name="tiny", storage=JournalStorage(JournalFileBackend(str(path))))
        study.set_user_attr("one", 1)
        study.set_user_attr("two", 2)


def mend(path: Path) -> str | None:
    return mend_journal(str(path), nullcontext())


def aside(path: Path) -> bytes:
    (file,) = path.parent.glob("tiny.journal.torn-*")
    return file.read_bytes()


@pytest.mark.parametrize(
    "torn", [TORN, b"{", b"\0" * 100, b'{"op_code":2}'], ids=["half", "first byte", "empty block", "without its end"]
)
def test_last_line_that_was_cut_off_is_set_aside_and_the_study_goes_on(journal: Path, torn: bytes) -> None:
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    said = mend(journal)
    assert (journal.read_bytes(), aside(journal)) == (whole, torn)
    assert said is not None
    assert f"in line {whole.count(b'%c' % 10) + 1}: {len(torn)} bytes are set aside in tiny.journal.torn-" in said
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(journal)))
    study.tell(study.ask(), 0.5)
    assert values(journal) == [0.25, 0.75, 0.5]


def test_line_that_another_program_appended_to_is_set_aside_and_no_other_byte_moves(journal: Path) -> None:
    whole = journal.read_bytes()
    journal.write_bytes(whole + TORN)
    append_as_others_do(journal)
    damaged = journal.read_bytes()
    with pytest.raises(SettingError, match="storage must be"):
        open_storage(str(journal))
    assert mend(journal) is not None
    mended, torn = journal.read_bytes(), aside(journal)
    assert torn.startswith(TORN)
    assert torn.count(b"\n") == 1
    assert (len(mended), mended[: len(whole)]) == (len(damaged), whole)
    assert mended[len(whole) + len(torn) :] == damaged[len(whole) + len(torn) :] != b""
    assert values(journal) == [0.25, 0.75]
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(journal)))
    study.tell(study.ask(), 0.5)
    assert values(journal) == [0.25, 0.75, 0.5]


def test_process_that_has_the_journal_open_reads_on_after_a_line_was_replaced(journal: Path) -> None:
    reader = optuna.load_study(study_name="tiny", storage=open_storage(str(journal)))
    assert len(reader.get_trials()) == 2
    with journal.open("ab") as file:
        file.write(TORN)
    append_as_others_do(journal)
    mend(journal)
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(journal)))
    study.tell(study.ask(), 0.5)
    assert [trial.value for trial in reader.get_trials()] == [0.25, 0.75, 0.5]


def test_whole_journal_is_left_alone(journal: Path) -> None:
    before = journal.read_bytes()
    assert mend(journal) is None
    assert journal.read_bytes() == before
    assert [path.name for path in journal.parent.iterdir()] == ["tiny.journal"]


def test_line_that_was_only_seen_while_somebody_wrote_it_is_left_alone(journal: Path) -> None:
    whole = journal.read_bytes()
    half = whole[:-20]
    journal.write_bytes(half)
    assert len(damaged_lines(journal)) == 1

    class WriterEnds:
        def __enter__(self) -> None:
            journal.write_bytes(whole)

        def __exit__(self, *error: object) -> None: ...

    assert mend_journal(str(journal), WriterEnds()) is None  # type: ignore[arg-type]
    assert journal.read_bytes() == whole
    assert [path.name for path in journal.parent.iterdir()] == ["tiny.journal"]


def test_line_that_was_spoilt_otherwise_is_refused_with_its_number(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = b"x" * (len(lines[1]) - 1) + b"\n"
    journal.write_bytes(b"".join(lines))
    with pytest.raises(SettingError, match=r"line 2 of '.*tiny\.journal' is none, .* restore a copy"):
        mend(journal)
    assert journal.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n", b"hello\nworld\n", b'{"a": 1}\n', b"[1]\n", b"SQLite format 3\0"]
)
def test_file_of_other_content_is_no_journal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=r"storage must be a journal .* got '.*notes\.txt' \(it has other content\)"):
        check_journal(path)


@pytest.mark.parametrize("content", [b"", b'{"op_code":0,"wor', b'{"op'])
def test_journal_that_has_no_whole_record_yet_is_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tiny.journal"
    path.write_bytes(content)
    check_journal(path)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (".", "it is no file"),
        ("/dev/null", "it is no file"),
        ("file/tiny.journal", "a file is in its place"),
        ("file/below/tiny.journal", "must be one that can be written"),
        ("/proc/nowhere/tiny.journal", "'/proc/nowhere' must be one that can be written"),
    ],
)
def test_place_where_no_journal_can_be_is_refused(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="storage must be") as caught:
        check_journal(tmp_path / place)
    assert reason in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_check_of_a_new_journal_leaves_no_folder(tmp_path: Path) -> None:
    check_journal(tmp_path / "some" / "where" / "tiny.journal")
    assert list(tmp_path.iterdir()) == []


def _full_after(n_bytes: int) -> Callable[[int, bytes], int]:
    """Return a write to a disk that has room for so many bytes more."""
    write, left = os.write, n_bytes

    def some(descriptor: int, content: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        n_written = write(descriptor, content[:left])
        left -= n_written
        return n_written

    return some


def test_record_that_the_disk_has_no_room_for_leaves_no_part_of_it(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = journal.read_bytes()
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(journal)))
    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", _full_after(30))
        with pytest.raises(OSError, match="No space left"):
            study.set_user_attr("name", "value")
    assert journal.read_bytes() == before
    study.tell(study.ask(), 0.5)
    assert values(journal) == [0.25, 0.75, 0.5]


@pytest.mark.slow
def test_search_sets_a_torn_line_aside_with_a_message_and_goes_on(workplace: Workplace) -> None:
    workplace.search(trials=1, keep_models="none")
    with workplace.places.journal.open("ab") as file:
        file.write(TORN)
    workplace.search(trials=2, keep_models="none")
    assert any("bytes are set aside in tiny.journal.torn-" in getattr(event, "text", "") for event in workplace.events)
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(workplace.places.journal)))
    assert [trial.state.is_finished() for trial in study.get_trials()] == [True, True]


@pytest.mark.parametrize("storage", ["notes.txt", "/proc/nowhere/x.journal", "sqlite:////proc/nowhere/x.db"])
def test_search_in_what_is_no_storage_writes_nothing(workplace: Workplace, storage: str) -> None:
    settings = workplace.settings(storage=storage)
    (workplace.folder / "notes.txt").write_text("hello\n")
    before = workplace.files()
    with pytest.raises(InputError):
        workplace.search(**settings.model_dump(include={"storage"}))
    assert workplace.files() == before
    assert {path.name for path in workplace.folder.iterdir()} == {"notes.txt", "tiny.yaml"}
