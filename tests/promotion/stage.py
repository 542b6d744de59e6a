"""A folder with a poor and a good study on digits, and a display that keeps what promotions show there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workplace import Workplace

from pipeline.promotion.finalists import Finalist
from pipeline.promotion.promote import promote
from pipeline.settings import PromoteSettings, make_settings
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.store import TrackingStore
from pipeline.training.metric import Metric
from pipeline.workers.events import Ended, Event

SPACES = {
    "poor": "knobs: {blocks: 1, filters: 2, head: flatten, batch_size: 256, learning_rate: 0.003, epochs: 2}\n",
    "good": """
knobs: {blocks: 2, filters: {choices: [16, 24]}, batch_size: 32, learning_rate: 0.005, epochs: 6, head: flatten}
first_trials: [{filters: 24}, {filters: 16}]
""",
}


@dataclass
class Listener:
    """Keeps what a promotion shows; ``hear`` gets each line as it comes, ``show`` each event."""

    hear: Callable[[str], None] = lambda line: None
    show: Callable[[Event], None] = lambda event: None
    lines: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    finalists: list[Finalist] = field(default_factory=list)

    @contextmanager
    def follow_trainings(
        self, title: str, *, n_jobs: int, n_done: int, noun: str, metric: Metric, log: Path
    ) -> Iterator[Callable[[Event], None]]:
        def take(event: Event) -> None:
            self.ended += [event.name] if isinstance(event, Ended) else []
            self.show(event)

        yield take

    def show_finalists(self, finalists: Sequence[Finalist], metric: Metric) -> None:
        self.finalists += finalists

    def show_line(self, line: str) -> None:
        self.lines.append(line)
        self.hear(line)


@dataclass
class Stage(Workplace):
    """A workplace with the two studies."""

    def search_both(self) -> None:
        for study, text in SPACES.items():
            (self.folder / f"{study}.yaml").write_text(text)
            trials = 2 if study == "good" else 1
            space = str(self.folder / f"{study}.yaml")  # a finalist needs no model: it is trained anew
            self.search(space=space, study=study, trials=trials, pruner="none", keep_models="1")

    def promote(self, study: str, listener: Listener | None = None, **changes: object) -> Version:
        """Promote with real worker processes; two finalists, two seeds."""
        given = {"study": study, "finalists": 2, "seeds": 2, **changes}
        return promote(make_settings(PromoteSettings, **given), listener or Listener())

    def registry(self, name: str = "digits") -> Registry:
        return Registry(TrackingStore(self.uri), name)

    def tags(self, number: str, name: str = "digits") -> dict[str, str]:
        version = self.registry(name).version(number)
        assert version is not None
        return dict(version.tags)

    def n_versions(self, name: str) -> int:
        return len(self.client.search_model_versions(f"name = '{name}'"))

    def n_openings(self, study: str) -> int:
        (run,) = [run for run in self.runs("study") if run.data.tags["pipeline.study"] == study]
        return int(run.data.tags.get("pipeline.test_openings", "0"))
