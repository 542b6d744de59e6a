"""The choice of an executor: this machine, or a cluster."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.data.source import TrainingData
from pipeline.errors import SettingError
from pipeline.settings.training import THIS_MACHINE
from pipeline.workers.executor import Executor, LocalExecutor
from pipeline.workers.job import WorkerContext


def make_executor(context: WorkerContext, data: TrainingData) -> Executor:
    """Return the executor that the setting ``cluster`` asks for; ``data`` are what its workers train on.

    Raises:
        SettingError: the cluster cannot be used; nothing was written.
    """
    cluster = context.settings.cluster
    if cluster == THIS_MACHINE:
        return LocalExecutor(context)
    if find_spec("ray") is None:
        raise SettingError(
            f"cluster needs Ray, which is not installed, got '{cluster}'; install the extra ray, as in "
            "pip install 'knobsearch[ray]'"
        )
    from pipeline.workers.ray_executor import RayExecutor

    return RayExecutor(context, data)
