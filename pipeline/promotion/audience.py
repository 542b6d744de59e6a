"""Who hears how far a promotion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pipeline.promotion.finalists import Finalist
from pipeline.training.metric import Metric
from pipeline.workers.messages import Event


class Audience(Protocol):
    """The screen, or a test."""

    def trainings(
        self, title: str, *, n_jobs: int, n_done: int, noun: str, metric: Metric, log: Path
    ) -> AbstractContextManager[Callable[[Event], None]]:
        """Follow ``n_jobs`` trainings, ``n_done`` of which were done before; what is entered takes the events."""

    def compare(self, finalists: Sequence[Finalist], metric: Metric) -> None:
        """Take the finalists, the winner first."""

    def say(self, line: str) -> None:
        """Take a line."""
