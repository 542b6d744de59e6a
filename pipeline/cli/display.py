"""The progress of trainings: live bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from pipeline.masking import MaskingFormatter
from pipeline.training.ending import State
from pipeline.training.metric import Metric
from pipeline.workers.events import BatchEnd, Died, Ended, EpochEnd, Event, Note, Started

_COLOURS = {State.COMPLETE: "green", State.PRUNED: "yellow", State.FAIL: "red", State.WAITING: "blue"}


class Tally:
    """Counts, best value and estimated time left of a command; ``noun`` names what is counted.

    ``n_total`` is None where the time alone bounds it.
    """

    def __init__(self, n_total: int | None, noun: str, metric: Metric, timeout_minutes: float | None = None) -> None:
        self.n_total = n_total
        self.noun = noun
        self.metric = metric
        self.n_finished = self.n_pruned = 0
        self.best: float | None = None
        self.minutes = timeout_minutes
        self._start = time.monotonic()
        self._n_ended_here = 0

    def take(self, event: Ended) -> None:
        """Count a training that has ended."""
        self._n_ended_here += 1
        if event.ending.state in (State.COMPLETE, State.PRUNED):
            self.count(event.ending.state, None if event.best is None else self.metric.of(event.best))

    def count(self, state: State, value: float | None) -> None:
        """Count a training that was finished, here or by an earlier command."""
        self.n_finished += 1
        self.n_pruned += state is State.PRUNED
        if value is not None and self.metric.is_better(value, self.best):
            self.best = value

    def seconds_left(self) -> float | None:
        """Return the estimated seconds to the end, at the pace so far and by the timeout; None where unknown."""
        passed = time.monotonic() - self._start
        is_known = self._n_ended_here > 0 and self.n_total is not None
        estimates = [passed / self._n_ended_here * self.n_open] if is_known else []
        if self.minutes is not None:
            estimates.append(max(0.0, 60 * self.minutes - passed))
        return min(estimates, default=None)

    @property
    def n_open(self) -> int:
        """How many are still to be finished; 0 where it is not known."""
        return 0 if self.n_total is None else max(0, self.n_total - self.n_finished)

    def headline(self) -> str:
        """Return the state of the work in a line."""
        best = "-" if self.best is None else f"{self.best:.4f}"
        left = self.seconds_left()
        time_left = "" if left is None else f" | about {_clock(left)} left"
        of_total = "" if self.n_total is None else f"/{self.n_total}"
        counts = f"{self.n_finished}{of_total} {self.noun}, {self.n_pruned} pruned"
        return f"{counts} | best {self.metric.name} {best}{time_left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _place(training: Started, fold: int, epoch: int) -> str:
    """Say where a training is."""
    of_folds = f"fold {fold}/{training.n_folds} " if training.n_folds > 1 else ""
    return f"{of_folds}epoch {min(epoch, training.n_epochs)}/{training.n_epochs}"


class PlainDisplay:
    """One line a training, for output that is no terminal; ``log`` is known once it has started."""

    log: Path

    def __init__(self, tally: Tally, console: Console) -> None:
        self._console = console
        self._tally = tally

    def __enter__(self) -> Self:
        logging.captureWarnings(True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.captureWarnings(False)

    def start(self, title: str, log: Path) -> None:
        """Say what begins, and send what libraries have to say to the log."""
        self.log = log
        handler = logging.FileHandler(log, encoding="utf-8")
        handler.setFormatter(MaskingFormatter())
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
        tally = self._tally
        what = f"{tally.n_open} {tally.noun} to go" if tally.n_open else "nothing left to do"
        if tally.n_total is None:
            what = f"{tally.minutes:g} minutes in all"
        self._print(f"{title}: {tally.n_finished} {tally.noun} finished, {what}")

    def show(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Ended):
            self._tally.take(event)
            self._print(self._line(event))
        elif isinstance(event, Note):
            self._print(Text(event.text, style="bold"))
        elif isinstance(event, Died):
            self._print(Text(f"{event.reason}{f' in {event.name}' if event.name else ''}; another one goes on"))

    def _line(self, event: Ended) -> Text:
        state, metric = event.ending.state, self._tally.metric
        value = "-" if event.best is None else f"{metric.of(event.best):.4f}"
        text = Text(f"{event.name}  ")
        text.append(f"{state.value:<8}", style=_COLOURS[state])
        text.append(f"  {metric.name} {value:<6}  {event.seconds:6.1f} s  | {self._tally.headline()}")
        if state in (State.FAIL, State.WAITING):
            text.append(f" | {event.ending.reason}", style=_COLOURS[state])
        return text

    def _print(self, text: str | Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)


class LiveDisplay(PlainDisplay):
    """Bars for the whole and for each running training, above them a line a finished one."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally, console)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=28), TextColumn("{task.fields[note]}"),
            console=console, transient=True,
        )  # fmt: skip
        self._total_bar: TaskID | None = None
        self._bars: dict[int, tuple[TaskID, Started]] = {}
        self._values: dict[int, str] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        super().__exit__(kind, error, trace)

    def start(self, title: str, log: Path) -> None:
        """Draw the bar of the whole."""
        super().start(title, log)
        self._progress.start()
        self._total_bar = self._progress.add_task(
            f"[bold]{title}", total=self._tally.n_total, note="starting a worker ..."
        )
        self._progress.update(self._total_bar, completed=self._tally.n_finished)

    def show(self, event: Event) -> None:
        """Move the bars."""
        if isinstance(event, Started):
            total = event.n_epochs * event.n_folds
            bar = self._progress.add_task(event.name, total=total, note=_place(event, 1, 1))
            self._bars[event.number] = (bar, event)
        elif isinstance(event, BatchEnd) and event.number in self._bars:
            self._move(event.number, event.fold, event.epoch, event.share)
        elif isinstance(event, EpochEnd) and event.number in self._bars:
            self._values[event.number] = f"  {self._tally.metric.name} {self._tally.metric.of(event.epoch):.4f}"
            self._move(event.number, event.fold, event.epoch.number + 1, 0.0)
        elif isinstance(event, Ended) and event.number in self._bars:
            self._progress.remove_task(self._bars.pop(event.number)[0])
            self._values.pop(event.number, None)
        super().show(event)
        if self._total_bar is not None:
            self._progress.update(self._total_bar, completed=self._tally.n_finished, note=self._tally.headline())

    def _move(self, number: int, fold: int, epoch: int, share: float) -> None:
        bar, training = self._bars[number]
        completed = (fold - 1) * training.n_epochs + epoch - 1 + share
        note = _place(training, fold, epoch) + self._values.get(number, "")
        self._progress.update(bar, completed=completed, note=note)


def make_display(tally: Tally) -> PlainDisplay:
    """Return the display for this output: live in a terminal, else plain lines."""
    console = Console()
    return LiveDisplay(tally, console) if console.is_terminal else PlainDisplay(tally, console)
