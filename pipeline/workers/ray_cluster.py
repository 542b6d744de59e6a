"""A running Ray cluster: the connection to it, its nodes, and whether all of them can work for this command."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray._private.worker
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.disk import made_meanwhile
from pipeline.errors import SettingError, describe_failure, first_line
from pipeline.paths import user_path
from pipeline.process import machine_id
from pipeline.tracking.store import TrackingStore
from pipeline.workers.cluster_share import Node
from pipeline.workers.command_environment import CommandEnvironment
from pipeline.workers.ray_node import NodeReport, inspect_node

_CONNECT_SECONDS = 5.0
_INSPECT_SECONDS = 120.0


def connect(address: str) -> list[Node]:
    """Connect this process to a cluster, in the place of one before; return the nodes that can have workers.

    Ray writes nothing on the screen and sends no usage statistics. Its workers end with this process.

    Raises:
        SettingError: there is no such cluster, or none of its nodes has CPUs or GPUs.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.shutdown()
    ray._private.worker._worker_logs_enabled = False  # else it prints what happens to nodes, as logs of them
    try:
        with _sigterm_kept():
            _check_answer(address)
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:  # Ray's own, and those of the network
        raise SettingError(
            f"cluster must be a running Ray cluster, got '{address}' ({first_line(error)}); start one with "
            "ray start --head, or leave --cluster out"
        ) from error
    nodes = list(_find_nodes())
    if not nodes:
        raise SettingError(f"cluster must have CPUs or GPUs, got '{address}' without; add a node with ray start")
    return nodes


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, in whose place Ray sets one of its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_answer(address: str) -> None:
    """Check that somebody listens at an address: Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()


def _find_nodes() -> Iterator[Node]:
    for one in ray.nodes():
        has = one["Resources"]
        node = Node(one["NodeID"], one["NodeManagerAddress"], int(has.get("CPU", 0)), int(has.get("GPU", 0)))
        if one["Alive"] and (node.n_cpus or node.n_gpus):
            yield node


def is_gone(node: str) -> bool:
    """Tell whether a node that a cluster had is not alive any more."""
    return any(one["NodeID"] == node and not one["Alive"] for one in ray.nodes())


def check_nodes(
    nodes: Sequence[Node], store: TrackingStore, dataset: str, environment: CommandEnvironment
) -> None:  # fmt: skip
    """Check that all nodes see the files of studies, a data set that is a folder, and the tracking store.

    Checkpoints, and what a tracking server has not taken yet, lie with the studies: whatever node a training goes on
    at, it needs them.

    Raises:
        SettingError: one does not; the message says what to set.
    """
    folders = [user_path(dataset)] if os.path.isdir(user_path(dataset)) else []
    with made_meanwhile(store.studies), _token_in(store.studies) as token:
        reports = _inspect(nodes, environment, store, [token, *folders])
    for node, report in zip(nodes, reports, strict=True):
        if store.folder is not None and report.machine != machine_id():
            raise SettingError(
                f"the tracking store must be a server where node {node.address} of the cluster is another machine, "
                f"got '{store.shown_uri}'; start mlflow server, and set MLFLOW_TRACKING_URI to it"
            )
        if token in report.unseen:
            raise SettingError(
                f"the folder of studies must be one that all nodes of the cluster see, but {node.address} does not see "
                f"'{store.studies}'; set XDG_DATA_HOME to a folder of a shared file system"
            )
        if report.unseen:
            raise SettingError(
                f"dataset must be seen by all nodes of the cluster, but {node.address} does not see '{folders[0]}'; "
                "move it to a shared file system"
            )
        if report.outage:
            raise SettingError(
                f"the tracking store must be a server that all nodes of the cluster reach, but {node.address} does not "
                f"reach '{store.shown_uri}' ({report.outage}); set MLFLOW_TRACKING_URI to an address that it knows"
            )


@contextmanager
def _token_in(folder: Path) -> Iterator[Path]:
    token = folder / f"{uuid.uuid4().hex}.token"
    token.touch()
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


def _inspect(
    nodes: Sequence[Node], environment: CommandEnvironment, store: TrackingStore, needed: Sequence[Path]
) -> list[NodeReport]:  # fmt: skip
    """Return the report of each node.

    Raises:
        SettingError: one has none.
    """
    inspect: Any = ray.remote(inspect_node)
    asked = [
        inspect.options(
            num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.name, soft=False)
        ).remote(environment, store, needed)
        for node in nodes
    ]
    reports = []
    for node, answer in zip(nodes, asked, strict=True):
        try:
            reports.append(ray.get(answer, timeout=_INSPECT_SECONDS))
        except ray.exceptions.RayError as error:
            raise SettingError(
                f"all nodes of the cluster must run this project, but {node.address} does not "
                f"({describe_failure(error)}); install the same versions of it and of Ray there, or remove the node"
            ) from error
    return reports
