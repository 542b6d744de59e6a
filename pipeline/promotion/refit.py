"""Fit the winner on training and validation images together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.baselines.job import Job
from pipeline.baselines.session import JobSession
from pipeline.promotion.finalists import Finalist
from pipeline.tracking import names
from pipeline.tracking.recorded import StudyRecord
from pipeline.training.metric import get_monitor
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.session import Runner

METRIC = get_monitor("accuracy")  # of the training images: there are no others


def refit_job(winner: Finalist, study: StudyRecord, *, seed: int) -> Job:
    """Return the job of fitting the winner for the epochs that its finalists settled on."""
    training = winner.training
    return Job(
        name=f"{training.name}-refit", configuration=training.configuration().without_validation(winner.n_epochs),
        seed=seed, files=training.files(),
        tags={names.KIND: "refit", names.STUDY: study.name, names.FINALIST_OF: training.run_id},
    )  # fmt: skip


@dataclass(frozen=True)
class RefitSession(JobSession):
    """Jobs that are fitted on all images, and not validated."""

    def make_runner(self, mailbox: Mailbox, *, worker_index: int) -> Runner:
        """Load the images."""
        from pipeline.baselines.runner import load_fitting
        from pipeline.promotion.refit_runner import RefitRunner

        return RefitRunner(self, replace(load_fitting(self, mailbox), metric=METRIC))
