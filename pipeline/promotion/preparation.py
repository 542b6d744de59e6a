"""What a promotion needs, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.baselines.job import Job
from pipeline.baselines.session import JobSession
from pipeline.baselines.training import do_jobs, left_to_do
from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import DataError
from pipeline.promotion.audience import Audience
from pipeline.promotion.finalists import choose_finalists
from pipeline.settings import PromoteSettings, TrainingSettings
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import StudyRecord, TrainingRecord, finished_trainings, read_study
from pipeline.tracking.store import TrackingStore, find_store
from pipeline.training.metric import Metric, get_metric


@dataclass(frozen=True, eq=False)
class Promotion:
    """Everything that a promotion needs, checked, with nothing written yet."""

    settings: PromoteSettings
    training: TrainingSettings
    store: TrackingStore
    study: StudyRecord
    data: TrainingData
    finalists: tuple[TrainingRecord, ...]
    audience: Audience

    @property
    def name(self) -> str:
        """Name of the registered model."""
        return self.settings.name or self.training.dataset_name

    @property
    def metric(self) -> Metric:
        """What the study is about."""
        return get_metric(self.training.metric)

    @property
    def log(self) -> Path:
        """What libraries have to say."""
        return self.store.studies / f"promote-{self.name}.log"

    def train(
        self, jobs: list[Job], parent: ParentRun, *, kind: type[JobSession], noun: str, metric: Metric
    ) -> dict[str, TrainingRecord]:  # fmt: skip
        """Do those jobs that have not been done before; return all that is finished by now, by fingerprint."""
        to_do = left_to_do(jobs, self.data, self.training, self.store)
        following = self.audience.trainings(
            f"promote to '{self.name}'", n_jobs=len(jobs), n_done=len(jobs) - len(to_do), noun=noun, metric=metric,
            log=self.log,
        )  # fmt: skip
        with following as show:
            do_jobs(to_do, parent, self.training, log=self.log, show=show, kind=kind)
        return finished_trainings(self.store, self.data.split_digest)


def prepare(settings: PromoteSettings, audience: Audience) -> Promotion:
    """Check study, data and finalists.

    Raises:
        InputError: the first thing that cannot be used.
    """
    store = find_store()
    study = read_study(store, settings.study)
    training = study.training_settings(
        dataset=settings.dataset, data_dir=settings.data_dir, workers=settings.workers, precision=settings.precision
    )
    data = load_training_data(training)
    if data.split_digest != study.split:
        raise DataError(
            f"promote goes on with the images that judged the study's trials, but '{training.dataset}' now splits as "
            f"{data.split_digest}, and study '{study.name}' as {study.split}; restore them, change --study, or search "
            "anew"
        )
    metric = get_metric(training.metric)
    finalists = choose_finalists(store, study, metric=metric, n_finalists=settings.finalists)
    return Promotion(settings, training, store, study, data, tuple(finalists), audience)
