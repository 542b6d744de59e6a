"""Processes of our own: what comes back from them, and how their deaths are described."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline import process
from pipeline.errors import PipelineError, SettingError
from pipeline.process import before_orphaned_end, call_in_fresh_process, count_oom_kills, describe_exit


def pid_of(text: str) -> tuple[int, str]:
    print(f"printed {text}")
    return os.getpid(), text


def refuse() -> None:
    raise SettingError("no")


def stumble() -> None:
    raise ValueError("a shape\nthat does not fit")


def end_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_id() -> str | None:
    return os.environ.get("MLFLOW_RUN_ID")


def test_call_returns_what_another_process_made_and_its_output_goes_to_the_log(tmp_path: Path) -> None:
    pid, text = call_in_fresh_process(pid_of, "this", log=tmp_path / "log")
    assert pid != os.getpid()
    assert text == "this"
    assert (tmp_path / "log").read_text() == "printed this\n"


def test_errors_come_back_as_they_are_where_they_are_ours_else_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^no$"):
        call_in_fresh_process(refuse, log=tmp_path / "log")
    with pytest.raises(PipelineError, match=r"^ValueError: a shape$"):
        call_in_fresh_process(stumble, log=tmp_path / "log")


def test_process_that_was_killed_is_not_said_to_have_run_out_of_memory(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"^a process was ended by SIGKILL in end_itself; see .*log$"):
        call_in_fresh_process(end_itself, log=tmp_path / "log")


def test_process_does_not_know_the_run_that_mlflow_gave_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    assert call_in_fresh_process(run_id, log=tmp_path / "log") is None


def train_for_ever(connection: object, folder: Path) -> None:
    """Never look at the connection, as in a long group of steps, and leave a file at the end."""
    before_orphaned_end((folder / "saved").touch)
    (folder / "worker").write_text(str(os.getpid()))
    while True:
        time.sleep(60)


PARENT = """
import sys, time
from pathlib import Path
from test_process import train_for_ever
from pipeline.process import start_process
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    start_process(train_for_ever, folder, log=folder / "log")
    time.sleep(600)
"""


def test_process_saves_what_it_must_and_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    search_path = os.pathsep.join([str(Path(__file__).parent), str(Path(process.__file__).parent.parent)])
    command = [sys.executable, str(tmp_path / "parent.py"), str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": search_path}) as parent:
        wait_for(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text() != "", seconds=60)
        worker = psutil.Process(int((tmp_path / "worker").read_text()))
        parent.kill()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, seconds=10)
    assert (tmp_path / "saved").exists()


def wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "n_kills_since", "said"),
    [
        (1, 1, "ended with exit code 1"),
        (-signal.SIGKILL, 0, "was ended by SIGKILL"),
        (-signal.SIGKILL, 1, "was ended by SIGKILL (out of memory)"),
        (-signal.SIGSEGV, 1, "was ended by SIGSEGV"),
    ],
)
def test_memory_is_blamed_only_where_the_system_counted_a_kill_for_it(
    code: int, n_kills_since: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text(f"low 0\noom 9\noom_kill {4 + n_kills_since}\noom_group_kill 0\n")
    monkeypatch.setattr(process, "_OOM_COUNTERS", (tmp_path / "none", counter))
    assert describe_exit(code, n_oom_kills_before=4) == said


def test_kills_are_counted_by_the_first_counter_that_there_is(tmp_path: Path) -> None:
    inner, outer, other = tmp_path / "inner", tmp_path / "outer", tmp_path / "other"
    inner.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    outer.write_text("nr_free_pages 17\noom_kill 8\n")
    other.write_text("nothing of the kind\n")
    assert count_oom_kills((inner, outer)) == 3
    assert count_oom_kills((tmp_path / "none", other, outer)) == 8
    assert count_oom_kills((tmp_path / "none",)) == 0
