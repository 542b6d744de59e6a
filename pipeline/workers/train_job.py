"""Train one job: epochs are logged live in its run, artifacts at its end. No other module trains."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pipeline.data.pixels import Pixels
from pipeline.data.source import Split, TrainingData, load_training_data
from pipeline.disk import describe_disk_full, is_disk_full
from pipeline.errors import describe_failure
from pipeline.evaluation.latency import LATENCY, measure_latency
from pipeline.evaluation.paired import image_scores, pack_scores
from pipeline.tracking.curve_log import CurveLog
from pipeline.tracking.outage import describe_outage
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_artifacts import log_artifacts, log_network_file, log_refit
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.checkpoint import read_checkpoint
from pipeline.training.checkpoint_writer import CheckpointWriter
from pipeline.training.configuration import Configuration
from pipeline.training.device import configure_device, resolve_precision
from pipeline.training.ending import Cause, Ending, State, TrainingStopped
from pipeline.training.image_device import choose_image_device
from pipeline.training.metric import Metric, get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train
from pipeline.workers.channel import Channel
from pipeline.workers.classical_job import train_classical
from pipeline.workers.events import Ended, EpochEnd, FoldEnd, Note, Started
from pipeline.workers.folds import Folds, Outcome
from pipeline.workers.job import Job, WorkerContext
from pipeline.workers.machine_share import MachineShare

_SEEDS_BETWEEN_FOLDS = 7919  # the first fold has the job's own seed


@dataclass(frozen=True, eq=False)
class Resources:
    """What a worker process has loaded for its jobs; ``backbones`` are shared by all of them."""

    store: TrackingStore
    data: TrainingData
    metric: Metric
    precision: str
    image_size: int
    backbones: BackboneCache
    channel: Channel

    def n_folds(self, job: Job) -> int:
        """Return on how many splits a job is trained; one that does not validate takes all images at once."""
        return self.data.n_splits if job.validates else 1


def load_resources(
    context: WorkerContext, channel: Channel, share: MachineShare, data: TrainingData | None = None
) -> Resources:  # fmt: skip
    """Load images, unless there is ``data`` already, and device for the jobs of this process."""
    settings = context.settings
    configure_device(threads=share.threads, n_on_gpu=share.n_on_gpu)
    return Resources(
        store=context.store, data=data or load_training_data(settings), metric=get_metric(settings.metric),
        precision=resolve_precision(settings.precision), image_size=settings.image_size or 0,
        backbones=BackboneCache(
            settings.data_dir, on_batch=channel.end_batch, say=lambda line: channel.send(Note(line))
        ),
        channel=channel,
    )  # fmt: skip


def train_job(job: Job, resources: Resources) -> Ended:
    """Train a job, on each split that judges it, and log epochs, artifacts and figures in its run.

    It goes on from its checkpoints where there are some. Never raises for what happens in a training.
    """
    start = time.time()
    try:
        _compute_features(job, resources)
        start = time.time()
        resources.channel.send(Started(job.number, job.name, job.n_epochs, resources.n_folds(job)))
        outcome = _train(job, resources)
    except TrainingStopped as stopped:  # while features are computed: before the first epoch
        outcome = Folds(resources.n_folds(job), resources.metric, stopped.ending).outcome()
    except Exception as error:  # whatever one job does, the work goes on
        outcome = Outcome(_ending(error, resources), None)
    seconds = time.time() - start
    return Ended(
        job.number, job.name, outcome.ending, outcome.best, seconds, figures=outcome.figures, scores=outcome.scores
    )  # fmt: skip


def _compute_features(job: Job, resources: Resources) -> None:
    """Have the features that a job needs computed where no job has before: their time is none of the job's."""
    if job.configuration is not None and job.configuration.has_backbone:
        job.configuration.bind(resources.data.at(job.configuration.image_size), resources.backbones)


def _ending(error: Exception, resources: Resources) -> Ending:
    """Return how a job ends with an error; where the disk is full or the tracking server is away, it can go on."""
    if is_disk_full(error):
        return Ending(Cause.DISK_FULL, describe_disk_full(resources.store.studies))
    if not resources.store.is_away(error):
        return Ending(Cause.FAILED, describe_failure(error))
    resources.channel.save()
    return Ending(Cause.PAUSED, f"the tracking server does not answer ({describe_outage(error)})")


def _train(job: Job, resources: Resources) -> Outcome:
    run = TrainingRun.resume(resources.store, job.run_id, on_wait=_Wait(job, resources))
    if job.configuration is None:
        return train_classical(
            job.name, resources.data, image_size=resources.image_size, run=run, seed=job.seed,
            backbones=resources.backbones,
        )  # fmt: skip
    curves = CurveLog(run, resources.n_folds(job))
    training = _Training(job, job.configuration, resources, run, curves)
    return training.validate() if job.validates else training.refit()


@dataclass
class _Wait:
    """Called while the tracking server does not answer: says so once, and looks whether the job is to pause."""

    job: Job
    resources: Resources
    _is_said: bool = False

    def __call__(self) -> None:
        channel = self.resources.channel
        if not self._is_said:
            channel.send(Note(f"{self.job.name} waits for the tracking server, which does not answer"))
        self._is_said = True
        ending = channel.end_batch(1.0)
        if ending is not None and ending.state is State.WAITING:
            raise TrainingStopped(ending)


@dataclass(frozen=True, eq=False)
class _Training:
    """A job at work in its run."""

    job: Job
    configuration: Configuration
    resources: Resources
    run: TrainingRun
    curves: CurveLog

    def validate(self) -> Outcome:
        """Train on each split that judges the configuration, until one says that it is enough."""
        data, metric = self.resources.data, self.resources.metric
        folds, keep_model = Folds(data.n_splits, metric), True
        for number, split in enumerate(data.splits(self.configuration.image_size), start=1):
            result, bound = self._train_on(number, split, metric)
            if folds.take(result, bound):
                mean = folds.assessment().best_epoch
                verdict = self.resources.channel.ask(FoldEnd(self.job.number, number, folds.last_best_epoch, mean))
                folds.stop(verdict.ending)
                keep_model = verdict.keep_model
            if folds.is_over:
                break
        outcome = folds.outcome()
        if outcome.ending.state is State.WAITING:
            return outcome
        self.curves.close(folds.n_taken)
        if outcome.best is None:
            return outcome
        assessment = folds.assessment()
        figures = log_artifacts(self.run, assessment, folds.network, keep_model=keep_model)
        if self.job.measures_latency:
            figures |= self._log_latency(folds.network, assessment.folds[0].images)
        scores = pack_scores(image_scores(assessment.predictions, metric.name))
        return replace(outcome, figures=figures, scores=scores)

    def refit(self) -> Outcome:
        """Train on all images for all epochs, and keep the last one's weights."""
        split = self.resources.data.whole(self.configuration.image_size)
        result, bound = self._train_on(1, split, metric=None)
        if result.ending.state is State.WAITING:
            return Outcome(result.ending, None)
        if not result.ending.is_finish:
            return Outcome(Ending(Cause.FAILED, result.ending.reason), None)
        log_refit(self.run, result, bound.finish(result.network), bound.images.train)
        return Outcome(result.ending, result.best_epoch)

    def _log_latency(self, network: Any, images: Pixels) -> dict[str, float]:
        """Measure the network as a registered model would call it, compiled and on one raw image."""
        latency = measure_latency(lambda image: network.predict_on_batch(np.asarray(image, np.float32)), images)
        self.run.log_summary({LATENCY: latency})
        return {LATENCY: latency}

    def _train_on(self, fold: int, split: Split, metric: Metric | None) -> tuple[TrainingResult, BoundConfiguration]:
        checkpoint = CheckpointWriter(self.resources.store.checkpoints / f"{self.job.run_id}-{fold}.npz")
        earlier = read_checkpoint(checkpoint.path)
        epochs = earlier.epochs if earlier else ()
        for epoch in epochs:
            self.curves.log(fold, epoch)
        self.resources.channel.start_fold(fold, len(epochs) + 1, checkpoint.save)
        bound = self.configuration.bind(split, self.resources.backbones)
        result = train(
            build=bound.build, plan=self.configuration.plan, data=bound.split, metric=metric,
            seed=(self.job.seed + (fold - 1) * _SEEDS_BETWEEN_FOLDS) % 2**31, precision=self.resources.precision,
            on_improvement=partial(self._keep, bound) if self.job.keeps_improvements else None,
            on_epoch=partial(self._end_epoch, fold), on_batch=self.resources.channel.end_batch,
            resume_from=earlier, checkpoint=checkpoint, budget=self.job.budget_of(fold),
            image_device=choose_image_device(bound.split),
        )  # fmt: skip
        if self.resources.n_folds(self.job) > 1:
            checkpoint.save()  # the next fold has a writer of its own
        return result, bound

    def _keep(self, bound: BoundConfiguration, epoch: Epoch, network: Any) -> None:
        log_network_file(self.run, bound.finish(network), f"epoch-{epoch.number:02d}")

    def _end_epoch(self, fold: int, epoch: Epoch) -> Ending | None:
        self.curves.log(fold, epoch)
        return self.resources.channel.ask(EpochEnd(self.job.number, fold, epoch)).ending
