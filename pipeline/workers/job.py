"""A job: one training, and what a worker process needs to do any of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.data.source import TrainingData
from pipeline.knobs.table import KNOBS
from pipeline.settings import TrainingSettings
from pipeline.tracking.store import TrackingStore
from pipeline.training.budget import Budget
from pipeline.training.configuration import Configuration

_WHOLE_PLAN = Budget()


@dataclass(frozen=True)
class Job:
    """One training; it keeps its number, seed and run wherever it goes on after its worker has died.

    ``configuration`` None is the classical model that is called ``name``. ``run_id`` is empty until the run is made.
    Where the job does not validate, it is fitted on training and validation images together. ``budget`` holds on each
    split; in its place ``fold_budgets``, where there are some, hold on each in turn. ``deaths`` counts the workers that
    died in it. ``measures_latency``: its figures have the milliseconds of predicting one image.
    ``keeps_improvements``: its run has the network of each epoch that was better than all before. ``reported`` is an
    accuracy that a document states, ``files`` are texts that the run keeps, by name.
    """

    name: str
    configuration: Configuration | None
    seed: int
    tags: Mapping[str, str]
    number: int = 0
    run_id: str = ""
    validates: bool = True
    budget: Budget = _WHOLE_PLAN
    fold_budgets: tuple[Budget, ...] = ()
    deaths: int = 0
    measures_latency: bool = False
    keeps_improvements: bool = False
    reported: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_epochs(self) -> int:
        """The most epochs that it trains on one split."""
        if self.configuration is None:
            return 1
        most = self.configuration.plan.epochs
        return max(budget.n_epochs(most) for budget in self.fold_budgets or (self.budget,))

    def budget_of(self, fold: int) -> Budget:
        """Return the budget of the training on a split, counted from 1."""
        return self.fold_budgets[(fold - 1) % len(self.fold_budgets)] if self.fold_budgets else self.budget

    def parameters(self) -> Mapping[str, object]:
        """Return the knobs that its run shows."""
        return {} if self.configuration is None else self.configuration.parameters()

    def fingerprint(self, data: TrainingData, settings: TrainingSettings) -> str:
        """Return 16 hexadecimal digits that are the same where a training would only repeat another one.

        Knobs at their defaults are left out, so that a new knob leaves all fingerprints as they were. The default of
        a knob must therefore never change. The same holds for a budget that is the whole plan.
        """
        chosen = {name: value for name, value in self.parameters().items() if value != KNOBS[name].default}
        parts: list[object] = [
            self.name, self.seed, data.split_digest, settings.precision, settings.metric, settings.image_size, chosen,
            *self.files.values(),
        ]  # fmt: skip
        if (budgets := self.fold_budgets or (self.budget,)) != (_WHOLE_PLAN,):
            parts.append([asdict(budget) for budget in budgets])
        if self.keeps_improvements:
            parts.append("keeps improvements")
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class WorkerContext:
    """What a worker process is started with; it is pickled. ``log`` takes what libraries print."""

    settings: TrainingSettings
    store: TrackingStore
    log: Path
