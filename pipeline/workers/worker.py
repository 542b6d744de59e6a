"""The worker's process: it trains the jobs that the pool sends, one after another."""

from __future__ import annotations

import os

from pipeline.data.source import TrainingData
from pipeline.errors import describe_failure
from pipeline.process import before_orphaned_end
from pipeline.workers.channel import Channel, PoolConnection
from pipeline.workers.events import Died, Ready
from pipeline.workers.job import WorkerContext
from pipeline.workers.machine_share import MachineShare


def run_worker(
    connection: PoolConnection, context: WorkerContext, share: MachineShare, data: TrainingData | None = None
) -> None:  # fmt: skip
    """Load what the jobs need, then train each, until there is none; TensorFlow is imported here.

    ``data`` None: the data set is loaded as the settings say.
    """
    if share.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = share.gpu
    channel = Channel(connection)
    before_orphaned_end(channel.save)
    try:
        from pipeline.workers.train_job import load_resources, train_job

        resources = load_resources(context, channel, share, data)
    except Exception as error:  # the pool tells the user
        channel.send(Died(f"a worker could not start: {describe_failure(error)}"))
        raise
    channel.send(Ready())
    while (job := channel.next_job()) is not None:
        channel.send(train_job(job, resources))
