"""What a worker needs to run trials of a study."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.knobs.space import SearchSpace
from pipeline.settings import SearchSettings
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.session import Runner, Session


@dataclass(frozen=True)
class StudySession(Session):
    """The study, and where its trials are kept and logged."""

    settings: SearchSettings
    space: SearchSpace
    storage: str
    tracking_uri: str
    experiment_id: str
    study_run_id: str

    def make_runner(self, mailbox: Mailbox, *, worker_index: int) -> Runner:
        """Load the study and its images."""
        from pipeline.study.objective import load_objective

        return load_objective(self, mailbox, worker_index=worker_index)
