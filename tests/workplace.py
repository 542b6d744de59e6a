"""A folder to search in: a fresh tracking store, and a space of networks that train in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from PIL import Image

from pipeline.paths import StudyPlaces
from pipeline.settings import SearchSettings, make_settings
from pipeline.study.search import SearchOutcome, search
from pipeline.workers.events import Event

# The first of the first trials is good, the second learns nothing, the third diverges: its weight decay multiplies
# the weights by -9 a step.
TINY_SPACE = """
knobs:
  blocks: 1
  filters: {choices: [4, 8]}
  batch_size: 16
  optimizer: sgd
  learning_rate: {low: 1e-6, high: 10, log: true}
  weight_decay: {choices: [0.0, 1.0]}
  epochs: 2
first_trials:
  - {filters: 8, learning_rate: 0.05, weight_decay: 0.0}
  - {filters: 4, learning_rate: 1e-6, weight_decay: 0.0}
  - {filters: 4, learning_rate: 10, weight_decay: 1.0}
"""


@dataclass
class Workplace:
    """A folder, its tracking store, and the searches that were run in it."""

    folder: Path
    events: list[Event] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @property
    def places(self) -> StudyPlaces:
        return StudyPlaces(self.folder / "mlruns" / "studies", "tiny")

    def settings(self, **changes: object) -> SearchSettings:
        space = self.folder / "tiny.yaml"
        if not space.exists():
            space.write_text(TINY_SPACE)
        given = {"space": str(space), "study": "tiny", "data_dir": self.folder, "precision": "float32"}
        given["strategy"] = "plain"  # whole trainings; brackets have tests of their own
        return make_settings(SearchSettings, **{**given, **changes})

    def search(self, *, show: Callable[[Event], None] | None = None, **changes: object) -> SearchOutcome:
        """Run a search with real worker processes; ``show`` gets its events, and ``events`` keeps them."""

        def take(event: Event) -> None:
            self.events.append(event)
            if show is not None:
                show(event)

        return search(self.settings(**changes), take, lambda study, log: None)

    def runs(self, kind: str) -> list[Run]:
        """Return the runs of a kind, in the order of their trials."""
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        found = self.client.search_runs(experiments, f"tags.`pipeline.kind` = '{kind}'", ViewType.ACTIVE_ONLY)
        return sorted(found, key=lambda run: int(run.data.tags.get("pipeline.trial", 0)))

    def n_running(self) -> int:
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        return len(self.client.search_runs(experiments, "attributes.status = 'RUNNING'"))

    def files(self) -> dict[str, bytes]:
        """Return every file beneath the folder with its content."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def write_photographs(root: Path, *, n_of_each: int, suffix: str) -> None:
    """Write photographs of 60 x 40 pixels into the class folders ``day``, which are bright, and ``night``."""
    noise = np.random.default_rng(0)
    for name, brightness in (("day", 150), ("night", 0)):
        (root / name).mkdir(parents=True)
        for number in range(n_of_each):
            pixels = noise.integers(brightness, brightness + 100, (40, 60, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}{suffix}")


def enter(patch: pytest.MonkeyPatch, folder: Path) -> Workplace:
    """Stand in ``folder`` with its own tracking store and with no run that is given from outside."""
    place = Workplace(folder)
    patch.chdir(folder)
    patch.setenv("MLFLOW_TRACKING_URI", place.uri)
    patch.delenv("MLFLOW_RUN_ID", raising=False)
    patch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    return place
