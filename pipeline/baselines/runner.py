"""Does jobs in a worker's process."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.baselines.classical import train_classical
from pipeline.baselines.job import Job
from pipeline.baselines.session import JobSession
from pipeline.data.source import load_training_data
from pipeline.tracking import names
from pipeline.tracking.names import State
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.device import configure_device, resolve_precision
from pipeline.training.metric import get_metric
from pipeline.workers.fitting import Fitting, Outcome, describe_failure
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.messages import Ended, Started, Train


@dataclass(frozen=True, eq=False)
class JobRunner:
    """Trains each job in a run of its own."""

    session: JobSession
    fitting: Fitting

    @property
    def n_splits(self) -> int:
        """How many times each job is trained."""
        return self.fitting.data.n_splits

    def run(self, command: Train) -> None:
        """Do one job; never raises for what happens in it."""
        assert command.number is not None
        start = time.time()
        job = self.session.jobs[command.number]
        self.fitting.mailbox.send(Started(command.number, job.name, job.n_epochs * self.n_splits, self.n_splits))
        run = self._start_run(job)
        outcome = self.train(job, command, run)
        run.end(outcome.state, outcome.reason)
        value = None if outcome.best is None else float(getattr(outcome.best, self.fitting.metric.name))
        self.fitting.mailbox.send(
            Ended(command.number, job.name, outcome.state, value, outcome.reason, time.time() - start)
        )

    def _start_run(self, job: Job) -> TrainingRun:
        data, parent = self.fitting.data, self.session.parent
        tags = {
            **job.tags,
            names.SPLIT: data.split_digest,
            names.SEED: str(job.seed),
            names.FINGERPRINT: job.fingerprint(data, self.session.settings),
        }
        run = TrainingRun.start(
            parent.store, experiment_id=parent.experiment_id, parent_run_id=parent.run_id, name=job.name, tags=tags,
            parameters=job.configuration.parameters() if job.configuration else {},
        )  # fmt: skip
        for name, text in job.files.items():
            run.log_text(text, name)
        if job.reported is not None:
            run.log_summary({"reported_accuracy": job.reported})
        return run

    def train(self, job: Job, command: Train, run: TrainingRun) -> Outcome:
        """Train, and log it in its run; never raises for what happens in it."""
        if job.configuration is None:
            return self._train_classical(run, job.seed)
        return self.fitting.fit(
            job.configuration, run=run, number=command.number or 0, seed=job.seed, deadline=command.deadline,
            judge=lambda epoch: None, keeps_model=lambda epoch: True,
        )  # fmt: skip

    def _train_classical(self, run: TrainingRun, seed: int) -> Outcome:
        try:
            split = self.fitting.data.at(self.session.settings.image_size or 0)
            return Outcome(State.COMPLETE, "", train_classical(split, run=run, seed=seed))
        except Exception as error:  # whatever one model does, the others go on
            return Outcome(State.FAIL, describe_failure(error))


def load_fitting(session: JobSession, mailbox: Mailbox) -> Fitting:
    """Load the images and the device for the jobs of this process."""
    settings = session.settings
    configure_device(threads=session.threads)
    return Fitting(
        data=load_training_data(settings), metric=get_metric(settings.metric),
        precision=resolve_precision(settings.precision), mailbox=mailbox,
        backbones=BackboneCache(settings.data_dir),
    )  # fmt: skip
