"""The progress of a promotion on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from pipeline.cli.display import Tally, make_display
from pipeline.cli.summary import make_console
from pipeline.promotion.finalists import Finalist
from pipeline.training.metric import Metric
from pipeline.workers.events import Event, Note


class PromotionScreen:
    """Shows trainings as searches do, the finalists as a table, and all else as lines."""

    def __init__(self) -> None:
        self._show: Callable[[Event], None] | None = None  # while trainings are shown

    @contextmanager
    def follow_trainings(
        self, title: str, *, n_jobs: int, n_done: int, noun: str, metric: Metric, log: Path
    ) -> Iterator[Callable[[Event], None]]:
        """Show trainings as bars or lines."""
        tally = Tally(n_jobs, noun, metric)
        tally.n_finished = n_done
        with make_display(tally) as display:
            display.start(title, log)
            self._show = display.show
            try:
                yield display.show
            finally:
                self._show = None

    def show_finalists(self, finalists: Sequence[Finalist], metric: Metric) -> None:
        """Print the finalists, the winner first."""
        table = Table(title="Finalists: mean and standard deviation over seeds", title_justify="left")
        for column in ("rank", "run"):
            table.add_column(column)
        for column in (metric.name, "deviation", "seeds", "epochs", "parameters"):
            table.add_column(column, justify="right")
        for rank, one in enumerate(finalists, start=1):
            table.add_row(
                str(rank), one.training.name, f"{one.mean_score:.4f}", f"{one.seed_spread:.4f}", str(len(one.scores)),
                str(one.n_epochs), f"{one.n_parameters:,}",
            )  # fmt: skip
        make_console().print(table)

    def show_line(self, line: str) -> None:
        """Print a line, above the bars of trainings where there are some."""
        if self._show is not None:
            self._show(Note(line))
            return
        make_console().print(line, soft_wrap=True, highlight=False, markup=False)
