"""Studies on a Ray cluster of several nodes, simulated on this machine: one dies, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster
from workplace import Workplace

import pipeline
from pipeline.training.ending import State
from pipeline.workers.events import BatchEnd, Died, Ended, EpochEnd, Event, Ready

pytestmark = pytest.mark.slow

ROOT = Path(pipeline.__file__).parent.parent
SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 16, epochs: 3}\n"
MEMORY = {"object_store_memory": 80 * 2**20}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, workplace: Workplace) -> Iterator[Cluster]:
    """Start a cluster whose head has no workers; tests add nodes to it."""
    (workplace.folder / "tiny.yaml").write_text(SPACE)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by default, which other work on this machine would starve
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for the nodes
    monkeypatch.setattr(ray._private.utils, "get_dashboard_dependency_error", ImportError)  # nodes start without it
    head = {"num_cpus": 0, "include_dashboard": False, **MEMORY}
    started = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    try:
        yield started
    finally:
        ray.shutdown()
        started.shutdown()


def add_node(cluster: Cluster, **resources: int) -> Any:
    return patiently(lambda: cluster.add_node(**{"num_cpus": 1, **resources, **MEMORY}))


def patiently(start: Callable[[], Any]) -> Any:
    """Start a node; one whose processes take more than 15 s to start, on a busy machine, is given up by Ray."""
    for _ in range(3):
        with suppress(Exception):
            return start()
    return start()


def workers_of(cluster: Cluster) -> list[psutil.Process]:
    """Return the processes of the workers on all nodes."""
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()]
    below = [process for raylet in raylets for process in psutil.Process(raylet).children(recursive=True)]
    return [one for one in below if one.name().startswith("ray::RayWorker") and one.status() != psutil.STATUS_ZOMBIE]


def wait_for(condition: Callable[[], object], *, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def on_first(kind: type[Event], act: Callable[[], None]) -> Callable[[Event], None]:
    """Return a show that acts at the first event of a kind."""
    seen: list[Event] = []

    def show(event: Event) -> None:
        if isinstance(event, kind) and not seen:
            seen.append(event)
            act()

    return show


def assert_nothing_is_lost(place: Workplace, *, n_trials: int) -> None:
    runs = place.runs("trial")
    assert [run.data.tags["pipeline.trial"] for run in runs] == [str(number) for number in range(n_trials)]
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        steps = [point.step for point in place.client.get_metric_history(run.info.run_id, "val_accuracy")]
        assert steps == [1, 2, 3]
    assert place.n_running() == 0


def test_study_loses_nothing_when_a_node_is_killed(
    cluster: Cluster, workplace: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    node, _ = add_node(cluster), add_node(cluster)
    kill = on_first(EpochEnd, lambda: cluster.remove_node(node, allow_graceful=False))
    workplace.search(cluster=cluster.address, trials=4, keep_models="none", pruner="none", show=kill)

    deaths = [event for event in workplace.events if isinstance(event, Died)]
    assert [(death.reason, death.with_machine) for death in deaths] == [("a worker was lost with its node", True)]
    assert [event.ending.state for event in workplace.events if isinstance(event, Ended)] == [State.COMPLETE] * 4
    assert not any("pipeline.deaths" in run.data.tags for run in workplace.runs("trial"))
    assert_nothing_is_lost(workplace, n_trials=4)
    wait_for(lambda: not workers_of(cluster), seconds=60)
    assert "raylet" not in "".join(capfd.readouterr())


def test_two_workers_share_a_gpu_and_one_that_is_killed_is_replaced(cluster: Cluster, workplace: Workplace) -> None:
    add_node(cluster, num_gpus=1)
    n_workers = []

    def kill() -> None:
        n_workers.append(len(workers_of(cluster)))
        os.kill(workers_of(cluster)[0].pid, signal.SIGKILL)

    workplace.search(
        cluster=cluster.address, workers_per_gpu=2, trials=4, keep_models="none", pruner="none",
        show=on_first(BatchEnd, kill),
    )  # fmt: skip

    assert n_workers == [2]
    assert sum(isinstance(event, Ready) for event in workplace.events) == 3
    (death,) = [event for event in workplace.events if isinstance(event, Died)]
    assert (death.with_machine, "\n" in death.reason) == (False, False)
    assert_nothing_is_lost(workplace, n_trials=4)


def start_command(place: Workplace, cluster: Cluster, out: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "pipeline", "search", "--space", "tiny.yaml", "--study", "tiny", "--trials", "6",
        "--strategy", "plain", "--pruner", "none", "--keep-models", "none", "--cluster", cluster.address,
    ]  # fmt: skip
    with out.open("w") as file:
        return subprocess.Popen(command, cwd=place.folder, stdout=file, stderr=file)


def test_command_that_is_killed_or_interrupted_leaves_no_worker_and_goes_on(
    cluster: Cluster, workplace: Workplace
) -> None:  # fmt: skip
    add_node(cluster)
    out = workplace.folder / "out"

    killed = start_command(workplace, cluster, out)
    wait_for(lambda: workplace.places.log.exists() and workers_of(cluster))
    killed.kill()
    killed.wait()
    wait_for(lambda: not workers_of(cluster), seconds=60)

    interrupted = start_command(workplace, cluster, out)
    wait_for(lambda: "COMPLETE" in out.read_text())
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(60) == 130, out.read_text()
    wait_for(lambda: not workers_of(cluster), seconds=60)
    assert workplace.n_running() == 0

    last = start_command(workplace, cluster, out)
    assert last.wait(300) == 0, out.read_text()
    assert "ray" not in out.read_text().lower().replace("array", "")
    assert_nothing_is_lost(workplace, n_trials=6)
