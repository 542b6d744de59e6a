"""Failures that nobody foresaw: exit code 1, one line with the cause and the log, the traceback in the log alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.cli.failures import describe_unforeseen


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def failure() -> Exception:
    """Return an error as a database gives it, with a traceback and a cause."""
    try:
        try:
            raise ConnectionError("connection to postgresql://me:secret@here/db is lost")
        except ConnectionError as cause:
            raise RuntimeError("An exception is raised during the commit.\nSee the manual") from cause
    except RuntimeError as error:
        return error


def test_unforeseen_failure_is_told_with_its_cause_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    log.write_text("before\n")
    text = describe_unforeseen(failure(), log)
    assert text.startswith("unforeseen failure: RuntimeError: An exception is raised during the commit. (because of ")
    assert "ConnectionError: connection to postgresql://" in text
    assert text.endswith(f"; the traceback is in {log}")
    assert "\n" not in text
    assert log.read_text().startswith("before\nTraceback (most recent call last)")


def test_password_in_a_traceback_does_not_reach_the_log(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    describe_unforeseen(failure(), log)
    assert "postgresql://me:***@here/db" in log.read_text()
    assert "secret" not in log.read_text()


@pytest.mark.parametrize("log", [None, Path("/dev/null/tiny.log")], ids=["no log yet", "a log that cannot be written"])
def test_traceback_goes_to_a_temporary_file_where_it_cannot_go_to_a_log(temporary: Path, log: Path | None) -> None:
    text = describe_unforeseen(failure(), log)
    (file,) = temporary.iterdir()
    assert text.endswith(f"the traceback is in {file}")
    assert "RuntimeError" in file.read_text()


@pytest.mark.slow
def test_system_error_of_a_command_is_one_line_with_exit_code_1(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "mlruns" / "studies" / "tiny.log").mkdir(parents=True)
    environment = {**os.environ, "TMPDIR": str(temporary), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "search", "--study", "tiny", "--trials", "1"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    said = re.fullmatch(r"error: unforeseen failure: IsADirectoryError: .*tiny\.log'; the traceback is in (\S+)", line)
    assert said, line
    assert "Traceback (most recent call last)" in Path(said[1]).read_text()
