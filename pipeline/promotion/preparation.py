"""The inputs of a promotion, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.source import TrainingData, load_training_data
from pipeline.disk import ROOM_BYTES
from pipeline.errors import DataError
from pipeline.evaluation.limits import Limits
from pipeline.promotion.display import PromotionDisplay
from pipeline.promotion.finalists import choose_finalists
from pipeline.settings import PromoteSettings, TrainingSettings
from pipeline.tracking.parent_run import ParentRun, check_adopted_run
from pipeline.tracking.recorded import StudyRecord, TrainingRecord, finished_trainings, read_study
from pipeline.tracking.store import TrackingStore, find_store
from pipeline.training.metric import Metric, get_metric, get_monitor
from pipeline.workers.executor import LocalExecutor
from pipeline.workers.job import Job, WorkerContext
from pipeline.workers.job_list import left_to_do, run_jobs

REFIT_METRIC = get_monitor("accuracy")  # a refit has no validation images


@dataclass(frozen=True, eq=False)
class Promotion:
    """The checked inputs of a promotion; ``training`` are the settings that the study's trials were trained with."""

    settings: PromoteSettings
    training: TrainingSettings
    store: TrackingStore
    study: StudyRecord
    data: TrainingData
    finalists: tuple[TrainingRecord, ...]
    display: PromotionDisplay

    @property
    def name(self) -> str:
        """Name of the registered model."""
        return self.settings.name or self.training.dataset_name

    @property
    def metric(self) -> Metric:
        """Metric that the study optimizes."""
        return get_metric(self.training.metric)

    @property
    def log(self) -> Path:
        """Log file of TensorFlow and other libraries."""
        return self.store.studies / f"promote-{self.name}.log"

    def train(self, jobs: Sequence[Job], parent: ParentRun, *, noun: str) -> list[TrainingRecord | None]:
        """Train the jobs that were not trained before; return each job's completed training, None where it failed.

        ``noun`` names the jobs on the display.
        """
        to_do = left_to_do(jobs, self.data, self.training, self.store)
        following = self.display.follow_trainings(
            f"promote to '{self.name}'", n_jobs=len(jobs), n_done=len(jobs) - len(to_do), noun=noun,
            metric=self.metric if jobs[0].validates else REFIT_METRIC, log=self.log,
        )  # fmt: skip
        with following as show:
            executor = LocalExecutor(WorkerContext(self.training, self.store, self.log))
            run_jobs(to_do, parent, self.data, self.training, executor, log=self.log, show=show)
        done = finished_trainings(self.store, self.data.split_digest)
        return [done.get(job.fingerprint(self.data, self.training)) for job in jobs]


def prepare(settings: PromoteSettings, display: PromotionDisplay) -> Promotion:
    """Read the study, load its data and choose the finalists.

    Raises:
        InputError: the first of them that cannot be used.
    """
    store = find_store(say=display.show_line)
    study = read_study(store, settings.study)
    store.check_writable(n_bytes=ROOM_BYTES)
    check_adopted_run(store)
    training = study.training_settings(
        dataset=settings.dataset, data_dir=settings.data_dir, workers=settings.workers,
        workers_per_gpu=settings.workers_per_gpu, precision=settings.precision,
    )  # fmt: skip
    data = load_training_data(training)
    if data.split_digest != study.split:
        raise DataError(
            f"promote needs the images that study '{study.name}' was run on (split {study.split}), but "
            f"'{training.dataset}' now splits as {data.split_digest}; restore the data, change --study, or search anew"
        )
    finalists = choose_finalists(
        store, study, metric=get_metric(training.metric), n_finalists=settings.finalists,
        limits=Limits(settings.max_parameters, settings.max_latency_ms),
    )  # fmt: skip
    return Promotion(settings, training, store, study, data, tuple(finalists), display)
