"""The choice of an executor, and what is refused before anything is written."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from workplace import Workplace, enter

from pipeline.errors import SettingError
from pipeline.settings import BaselineSettings, SearchSettings, TrainingSettings, make_settings
from pipeline.tracking.store import TrackingStore
from pipeline.workers import ray_cluster
from pipeline.workers.cluster_share import Node
from pipeline.workers.command_environment import CommandEnvironment
from pipeline.workers.executor import LocalExecutor
from pipeline.workers.executors import make_executor
from pipeline.workers.job import WorkerContext
from pipeline.workers.ray_cluster import check_nodes
from pipeline.workers.ray_node import NodeReport, inspect_node

HERE, ELSEWHERE = Node("a", "10.0.0.1", 4, 0), Node("b", "10.0.0.2", 4, 0)
ENVIRONMENT = CommandEnvironment.of_this_process()
Inspect = Callable[[Path], NodeReport]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return enter(monkeypatch, tmp_path)


def context_of(folder: Path, **settings: object) -> WorkerContext:
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    return WorkerContext(make_settings(TrainingSettings, **settings), store, folder / "log")


@pytest.mark.parametrize("kind", [SearchSettings, BaselineSettings])
def test_workers_run_on_this_machine_unless_a_cluster_is_named(kind: type[TrainingSettings], tmp_path: Path) -> None:
    assert make_settings(kind).cluster == "none"
    assert isinstance(make_executor(context_of(tmp_path), None), LocalExecutor)  # type: ignore[arg-type]


@pytest.mark.parametrize("cluster", ["auto", "10.0.0.1:6379", "ray://head.example:10001"])
def test_cluster_is_auto_or_an_address(cluster: str) -> None:
    assert make_settings(SearchSettings, cluster=cluster).cluster == cluster


@pytest.mark.parametrize("cluster", ["head", "ray://head", "http://head:10001", "user@head:6379", "local"])
def test_cluster_that_is_no_address_is_refused(cluster: str) -> None:
    with pytest.raises(SettingError, match=r"^cluster must be auto, HOST:PORT, .*, got '.*'; change --cluster"):
        make_settings(SearchSettings, cluster=cluster)


def test_cluster_without_ray_is_refused_with_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it cannot be found
    with pytest.raises(SettingError, match=r"^cluster needs Ray, .* got 'auto'; .*pip install 'knobsearch\[ray\]'$"):
        make_executor(context_of(tmp_path, cluster="auto"), None)  # type: ignore[arg-type]


def test_address_where_nobody_listens_is_refused_at_once_and_nothing_is_written(workplace: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SettingError, match=rf"^cluster must be a running Ray cluster, got '127\.0\.0\.1:{port}' \(.*"):
        workplace.search(cluster=f"127.0.0.1:{port}")
    assert list(workplace.files()) == ["tiny.yaml"]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Inspect], None]:
    """Have each node answer as a function of the token's path says."""

    def with_answer(inspect: Inspect) -> None:
        monkeypatch.setattr(ray_cluster, "_inspect", lambda nodes, _, __, needed: [inspect(needed[0]) for _ in nodes])

    return with_answer


def report(*unseen: Path, machine: str = "this", outage: str = "") -> NodeReport:
    return NodeReport(ray_cluster.machine_id() if machine == "this" else machine, unseen, outage)


@pytest.mark.usefixtures("workplace")
def test_nodes_of_this_machine_may_use_a_local_tracking_store(
    answer: Callable[[Inspect], None], tmp_path: Path
) -> None:  # fmt: skip
    store = TrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}")
    answer(lambda token: inspect_node(ENVIRONMENT, store, [token]))
    check_nodes([HERE], store, "digits", ENVIRONMENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("workplace")
def test_local_tracking_store_is_refused_where_a_node_is_another_machine(
    answer: Callable[[Inspect], None], tmp_path: Path
) -> None:  # fmt: skip
    answer(lambda token: report(machine="another"))
    with pytest.raises(SettingError, match=r"must be a server where node 10\.0\.0\.2 .* set MLFLOW_TRACKING_URI to it"):
        check_nodes([ELSEWHERE], TrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}"), "digits", ENVIRONMENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("workplace")
def test_folder_of_studies_that_a_node_does_not_see_is_refused(
    answer: Callable[[Inspect], None], tmp_path: Path
) -> None:  # fmt: skip
    answer(lambda token: report(token, machine="another"))
    with pytest.raises(SettingError, match=r"10\.0\.0\.2 does not see '.*data/knobsearch/.*'; set XDG_DATA_HOME to"):
        check_nodes([ELSEWHERE], TrackingStore("http://mlflow.example:5000"), "digits", ENVIRONMENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("workplace")
def test_tracking_server_that_a_node_does_not_reach_is_refused_without_its_password(
    answer: Callable[[Inspect], None],
) -> None:
    answer(lambda token: report(machine="another", outage="Connection refused"))
    with pytest.raises(SettingError, match=r"10\.0\.0\.2 does not reach .* \(Connection refused\); set") as caught:
        check_nodes([ELSEWHERE], TrackingStore("http://me:secret@localhost:5000"), "digits", ENVIRONMENT)
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("workplace")
def test_folder_of_images_that_a_node_does_not_see_is_refused(
    answer: Callable[[Inspect], None], tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "photographs").mkdir()
    answer(lambda token: report(Path("photographs"), machine="another"))
    with pytest.raises(SettingError, match=r"^dataset must be seen by all nodes .* does not see 'photographs'; move"):
        check_nodes([ELSEWHERE], TrackingStore("http://localhost:5000"), "photographs", ENVIRONMENT)


def test_node_tells_what_it_does_not_see(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipeline.workers.ray_node._PATIENCE_SECONDS", 0.0)
    seen, unseen = tmp_path / "seen", tmp_path / "unseen"
    seen.touch()
    told = inspect_node(ENVIRONMENT, TrackingStore("sqlite:///x.db"), [seen, unseen])
    assert told == NodeReport(ray_cluster.machine_id(), (unseen,), "")


def test_environment_of_a_command_has_its_credentials_and_not_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    environment = CommandEnvironment.of_this_process()
    assert environment.variables["MLFLOW_TRACKING_PASSWORD"] == "secret"
    assert "MLFLOW_RUN_ID" not in environment.variables
    assert "secret" not in repr(environment)


def test_new_file_that_takes_a_while_to_be_seen_is_waited_for(tmp_path: Path) -> None:
    late = tmp_path / "late"
    threading.Timer(0.5, late.touch).start()
    assert inspect_node(ENVIRONMENT, TrackingStore("sqlite:///x.db"), [late]).unseen == ()
