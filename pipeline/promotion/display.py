"""The display of a promotion's progress, as the command line implements it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pipeline.promotion.finalists import Finalist
from pipeline.training.metric import Metric
from pipeline.workers.events import Event


class PromotionDisplay(Protocol):
    """Callbacks for the progress of a promotion."""

    def follow_trainings(
        self, title: str, *, n_jobs: int, n_done: int, noun: str, metric: Metric, log: Path
    ) -> AbstractContextManager[Callable[[Event], None]]:
        """Return a context whose value takes the workers' events; ``n_done`` of ``n_jobs`` were trained before."""

    def show_finalists(self, finalists: Sequence[Finalist], metric: Metric) -> None:
        """Show the finalists, the winner first."""

    def show_line(self, line: str) -> None:
        """Show a line of text."""
