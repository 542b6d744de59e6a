"""What a tracking server does not take waits in files, and is sent in order, once, when it is back."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from stub_server import StubServer, stub_server

from pipeline.errors import SettingError, TrackingServerGone
from pipeline.tracking import outage as outage_module
from pipeline.tracking import outbox as outbox_module
from pipeline.tracking.outage import find_outage, is_outage, wait_out
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.store import TrackingStore, find_store
from pipeline.tracking.write import Write


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for module in ("outage", "outbox"):
        monkeypatch.setattr(f"pipeline.tracking.{module}.SECONDS_BETWEEN_LOOKS", 0.05)


@pytest.fixture
def server() -> Iterator[StubServer]:
    with stub_server() as server:
        yield server


def point(step: int, run_id: str = "a") -> Write:
    return Write(run_id, points=(("loss", 0.5, 1000 + step, step, None),))


def fail(server: StubServer, status: int = 503, error_code: str = "TEMPORARILY_UNAVAILABLE") -> None:
    server.status, server.error_code = status, error_code


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_writes_to_a_server_arrive_in_order_and_leave_nothing_behind(server: StubServer, tmp_path: Path) -> None:
    box = Outbox(server.uri, tmp_path / "unsent")
    for step in range(1, 20):
        box.write(point(step))
    assert box.flush() == 0
    assert server.points() == [("loss", step) for step in range(1, 20)]
    assert box.unsent("a") == []


def test_what_a_failing_server_did_not_take_is_sent_once_and_in_order_when_it_is_back(
    server: StubServer, tmp_path: Path
) -> None:
    box, said = Outbox(server.uri, tmp_path / "unsent"), list[str]()
    box.say = said.append
    box.write(point(1))
    assert box.flush() == 0
    fail(server)
    box.write(point(2))
    wait_for(lambda: bool(said))
    box.write(point(3))
    box.write(Write("a", status="FINISHED", end_time=7))
    assert box.flush() == 3
    assert [write.points[0][3] for write in box.unsent("a")[:2]] == [2, 3]

    server.status = 200
    wait_for(lambda: len(said) == 2)
    assert server.points() == [("loss", 1), ("loss", 2), ("loss", 3)]
    assert server.sent[-1][0] == "runs/update"
    assert [line.split(":")[0] for line in said] == [
        f"the tracking server {server.uri.split('//')[0]}".removesuffix(":"),
        "the tracking server is back, and has got the 3 writes that were kept for it",
    ]


def test_server_that_answers_with_errors_is_not_taken_to_be_back_before_it_takes_a_write(
    server: StubServer, tmp_path: Path
) -> None:
    box, said = Outbox(server.uri, tmp_path / "unsent"), list[str]()
    box.say = said.append
    fail(server)
    server.is_healthy = True
    box.write(point(1))
    wait_for(lambda: bool(said))
    time.sleep(0.5)
    assert len(said) == 1
    server.status = 200
    wait_for(lambda: len(said) == 2)
    assert server.points() == [("loss", 1)]


def test_folder_that_cannot_be_written_has_writes_sent_at_once(server: StubServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    Outbox(server.uri, tmp_path / "file" / "unsent").write(point(1))
    assert server.points() == [("loss", 1)]


def test_what_a_command_could_not_send_is_sent_by_the_next_one(server: StubServer, tmp_path: Path) -> None:
    fail(server)
    first = Outbox(server.uri, tmp_path / "unsent")
    first.write(point(1))
    wait_for(lambda: not first.answers())
    with pytest.raises(TrackingServerGone, match=r"1 writes to the tracking server are kept in .*unsent"):
        first.require_answer()
    server.status = 200
    assert Outbox(server.uri, tmp_path / "unsent").flush() == 0
    assert server.points() == [("loss", 1)]


def test_write_that_the_server_refuses_for_good_holds_up_no_other(server: StubServer, tmp_path: Path) -> None:
    box = Outbox(server.uri, tmp_path / "unsent")
    fail(server, 400, "INVALID_PARAMETER_VALUE")
    box.write(point(1))
    assert box.flush() == 0
    server.status = 200
    box.write(point(2))
    assert box.flush() == 0
    assert server.points() == [("loss", 2)]


def test_line_that_was_cut_off_is_passed_over(server: StubServer, tmp_path: Path) -> None:
    (tmp_path / "unsent").mkdir()
    (tmp_path / "unsent" / "a.jsonl").write_text(point(1).to_line() + point(2).to_line()[:20])
    box = Outbox(server.uri, tmp_path / "unsent")
    assert box.flush() == 0
    assert server.points() == [("loss", 1)]


def test_store_that_is_no_server_is_written_to_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    box = Outbox(uri, tmp_path / "unsent")
    box.write(
        Write(run_id, removed_tags=("none",), tags={"a": "b"}, points=(("loss", 0.5, 1, 1, None),), status="KILLED")
    )
    run = client.get_run(run_id)
    assert (run.info.status, run.data.tags["a"], run.data.metrics) == ("KILLED", "b", {"loss": 0.5})
    assert not (tmp_path / "unsent").exists()
    with pytest.raises(MlflowException):
        box.write(Write("0" * 32, tags={"a": "b"}))


def test_nothing_can_be_made_in_a_server_that_is_away_and_after_ten_minutes_that_is_an_error(
    server: StubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Outbox(server.uri, tmp_path / "unsent")
    assert box.is_open()
    fail(server)
    assert not box.is_open()
    monkeypatch.setattr(outbox_module, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(TrackingServerGone):
        box.is_open()


def test_act_that_needs_the_server_is_tried_again_when_that_is_back(server: StubServer) -> None:
    waits: list[int] = []

    def on_wait() -> None:
        waits.append(server.status)
        if len(waits) == 3:
            server.status = 200

    fail(server)
    client = MlflowClient(server.uri)
    assert wait_out(server.uri, lambda: client.get_run("1").info.run_id, on_wait) == "1"
    assert waits == [503] * 3


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MlflowException("API request failed with exception"), True),
        (MlflowException("no", error_code=TEMPORARILY_UNAVAILABLE), True),
        (MlflowException.invalid_parameter_value("no"), False),
        (OSError("Connection aborted"), True),
        (OSError(28, "No space left on device"), False),
        (ValueError("no"), False),
    ],
)
def test_outage_is_told_from_a_refusal_and_from_a_full_disk(error: Exception, is_one: bool) -> None:
    assert is_outage(error) == is_one


def test_outage_is_described_by_the_reason_of_the_system() -> None:
    assert find_outage("http://127.0.0.1:9") == "Connection refused"


def test_server_that_answers_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "_PING_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert find_outage(f"http://127.0.0.1:{silent.getsockname()[1]}") == "no answer in time"


def test_server_that_is_not_there_is_one_line_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(
        SettingError, match=r"the tracking store .* got 'http://127\.0\.0\.1:9' .* set MLFLOW_TRACKING_URI"
    ):
        find_store()
    assert time.monotonic() - start < 10


def test_process_has_one_outbox_for_a_store(tmp_path: Path) -> None:
    store = TrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert store.outbox is TrackingStore(store.uri).outbox


def test_password_of_a_server_that_is_away_is_shown_to_nobody(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://me:secret@127.0.0.1:{free.getsockname()[1]}"
    box, said = Outbox(uri, tmp_path / "unsent"), list[str]()
    box.say = said.append
    with pytest.raises(TrackingServerGone) as gone:
        box.require_answer()
    assert said
    assert not any("secret" in line for line in [*said, str(gone.value)])
