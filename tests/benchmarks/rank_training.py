"""The trainings of one configuration at three budgets, each complete, each with a seed of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.data.source import Split, load_training_data
from pipeline.evaluation.scores import predict
from pipeline.knobs.table import Knobs
from pipeline.settings import DataSettings
from pipeline.settings.base import make_settings
from pipeline.training.budget import Budget

from .drawing import turned_knobs
from .options import CLOCKS
from .timed_training import train_within

FACTORS = (1, 4, 16)
_MOST_EPOCHS = 10_000  # so that the seconds alone end a training


@dataclass(frozen=True)
class Comparison:
    """A configuration to be trained for ``seconds``, and for 4 and 16 times as long; ``number`` is its own."""

    dataset: str
    number: int
    origin: str
    knobs: Knobs
    seconds: float
    seed: int
    precision: str
    clock: str = "wall"


def compare(task: Comparison) -> dict[str, Any]:
    """Train at each budget, and return the accuracies; a training without a finished epoch has 0.

    The seconds are those of steps and validation: that a network is compiled takes longer for some, and happens once.
    """
    import keras

    split = _split(task.dataset, task.seed)
    knobs = {**task.knobs, "epochs": _MOST_EPOCHS}
    budgets = []
    for place, factor in enumerate(FACTORS):
        keras.backend.clear_session()
        seconds = factor * task.seconds
        result, network = train_within(
            knobs, split, budget=Budget(seconds=seconds), seed=task.seed + len(FACTORS) * task.number + place,
            precision=task.precision, clock=CLOCKS[task.clock],
        )  # fmt: skip
        value = result.best_epoch.val_accuracy if result.best_epoch else 0.0
        seen = split.sample_training(len(split.validation.labels))
        fitted = predict(network, seen.images, seen.labels, seen.class_names).accuracy if result.best_epoch else 0.0
        budgets.append({
            "seconds": seconds, "val_accuracy": value, "train_accuracy": fitted, "epochs": len(result.epochs),
            "took": round(result.train_seconds, 2), "ending": str(result.ending.cause),
        })  # fmt: skip
    own = {"dataset": task.dataset, "number": task.number, "origin": task.origin, "knobs": turned_knobs(task.knobs)}
    return {**own, "budgets": budgets}


@cache
def _split(dataset: str, seed: int) -> Split:
    return load_training_data(make_settings(DataSettings, dataset=dataset, seed=seed)).at(0)
