"""What a competitor is given: images, a seed, a budget, and a folder for what it says and holds."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from pipeline.data.image_set import ImageSet
from pipeline.data.npz import read_npz
from pipeline.data.source import Split, load_training_data
from pipeline.settings import DataSettings
from pipeline.settings.base import make_settings


@dataclass(frozen=True)
class Task:
    """One competitor's task with one seed; ``start`` is the time at which its budget began, in seconds of the epoch.

    ``dataset`` is an ``.npz``, ``space`` the YAML of our search space, whose first configuration is the prior that
    competitors called ``...+prior`` are given. ``core`` None: pinned to none. After ``most_epochs``, of all its
    trainings together, a competitor ends before its time is up: for tests, which cannot rely on the clock.
    """

    competitor: str
    dataset: str
    space: str
    seed: int
    minutes: float
    folder: str
    precision: str = "auto"
    core: int | None = None
    start: float = 0.0
    least_grace_seconds: float = 10.0
    most_epochs: int | None = None

    @property
    def has_prior(self) -> bool:
        """Whether a peer gets our prior and our speed."""
        return self.competitor.endswith("+prior")

    @property
    def deadline(self) -> float:
        """Time at which the budget is over, in seconds of the epoch."""
        return self.start + 60 * self.minutes

    @property
    def grace_seconds(self) -> float:
        """Seconds after the deadline at which a competitor is killed: it may close its files, not train on."""
        return self.least_grace_seconds + 0.02 * 60 * self.minutes

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def space_path(self) -> Path:
        """The YAML of our search space."""
        return Path(self.space)

    @property
    def task_file(self) -> Path:
        """The file that the competitor's process reads its task from."""
        return self.path / "task.json"

    @property
    def progress_file(self) -> Path:
        """A JSON line for each training that begins and for each epoch that ends."""
        return self.path / "progress.jsonl"

    @property
    def held_file(self) -> Path:
        """The weights of the best epoch so far, of competitors that train with plain Keras."""
        return self.path / "held.npz"

    @property
    def answer_file(self) -> Path:
        """What the competitor held at the end, and its test accuracy."""
        return self.path / "answer.json"

    @property
    def result_file(self) -> Path:
        """The result; a pair of competitor and seed that has one is finished."""
        return self.path / "result.json"

    @property
    def log_file(self) -> Path:
        """What the process prints."""
        return self.path / "log.txt"

    def seconds_left(self) -> float:
        """Return the seconds until the deadline, negative after it."""
        return self.deadline - time.time()

    @cached_property
    def split(self) -> Split:
        """Training and validation images: those that ``search`` with the same seed has."""
        return load_training_data(make_settings(DataSettings, dataset=self.dataset, seed=self.seed)).at(0)

    def test_images(self) -> ImageSet:
        """Return the test images, which no competitor asks for."""
        names = self.split.images.class_names
        return read_npz(Path(self.dataset), part="test", name="test", class_names=names)

    def write(self) -> None:
        """Write the task for the competitor's process."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.task_file.write_text(json.dumps(asdict(self), indent=1))


def read_task(path: Path) -> Task:
    """Read the task that was written to ``path``."""
    return Task(**json.loads(path.read_text()))
