"""Fits configurations on all images in a worker's process."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.baselines.job import Job
from pipeline.baselines.runner import JobRunner, load_fitting
from pipeline.baselines.session import JobSession
from pipeline.promotion.preparation import REFIT_METRIC
from pipeline.tracking.curve_log import CurveLog
from pipeline.tracking.names import State
from pipeline.tracking.training_artifacts import log_refit
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.ending import Cause, TrainingStopped
from pipeline.training.trainer import train
from pipeline.workers.fitting import Outcome, describe_failure
from pipeline.workers.mailbox import Mailbox, Pulse
from pipeline.workers.messages import Train
from pipeline.workers.session import Runner
from pipeline.workers.watch import Watch


@dataclass(frozen=True)
class RefitSession(JobSession):
    """Jobs that are fitted on all images, and not validated."""

    def make_runner(self, mailbox: Mailbox, *, worker_index: int) -> Runner:
        """Load the images."""
        return RefitRunner(self, replace(load_fitting(self, mailbox), metric=REFIT_METRIC))


class RefitRunner(JobRunner):
    """Trains each job for all its epochs, with no validation, and keeps the last one's weights."""

    n_splits = 1

    def train(self, job: Job, command: Train, run: TrainingRun) -> Outcome:
        """Train, and log model and figures; never raises for what happens in it."""
        assert job.configuration is not None
        fitting, configuration = self.fitting, job.configuration
        try:
            curves, pulse = CurveLog(run, self.n_splits), Pulse(command.number or 0, fitting.mailbox)
            watch = Watch(curves, pulse, fitting.mailbox, fitting.metric, lambda epoch: None, deadline=None)
            watch.begin_fold(0)
            split = fitting.data.whole(configuration.image_size)
            bound = configuration.bind(split, replace(fitting.backbones, on_batch=watch.on_batch))
            result = train(
                build=bound.build, plan=configuration.plan, data=bound.split, metric=None, seed=job.seed,
                precision=fitting.precision, on_epoch=watch.on_epoch, on_batch=watch.on_batch,
            )  # fmt: skip
            if result.ending.cause is not Cause.COMPLETE:
                return Outcome(State.FAIL, result.ending.reason)
            log_refit(run, result, bound.finish(result.network), bound.images.train)
            return Outcome(State.COMPLETE, "", result.best_epoch)
        except TrainingStopped as stopped:
            return Outcome(State.FAIL, stopped.ending.reason)
        except Exception as error:  # the command says so
            return Outcome(State.FAIL, describe_failure(error))
