"""Trainings of a configuration that take given seconds, a complete schedule each: the recipe alone, and the ranks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.data.source import Split
from pipeline.knobs.table import Knobs
from pipeline.training.configuration import Configuration
from pipeline.training.device import resolve_precision
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train

_MEASURED_SECONDS = 3.0
_MOST_EPOCHS = 10_000  # that a training may have
_FILLED_SHARE = 0.97  # of the seconds: a schedule that is cut off before it ends is worth less than the seconds saved
_FORWARD_SHARE = 1 / 3  # what an image costs without its gradients


@dataclass(frozen=True)
class Pace:
    """How fast a configuration trains: the seconds before its first step is done, and those of an epoch."""

    start_seconds: float
    epoch_seconds: float

    def epochs_within(self, seconds: float) -> int:
        """Return the epochs that fit into ``seconds``; at least one."""
        return max(1, int((_FILLED_SHARE * seconds - self.start_seconds) / self.epoch_seconds))


def measure_pace(knobs: Knobs, split: Split, *, precision: str) -> Pace:
    """Train for a few seconds, and return the pace."""
    start = time.perf_counter()
    steps: list[tuple[float, float]] = []  # seconds since the start, epochs done
    ends: list[float] = []

    def on_batch(share: float) -> Ending | None:
        steps.append((time.perf_counter() - start, len(ends) + share))
        return Ending(Cause.TIME_UP) if steps[-1][0] - steps[0][0] > _MEASURED_SECONDS else None

    def on_epoch(epoch: Epoch) -> None:
        ends.append(time.perf_counter() - start)

    _train({**knobs, "epochs": _MOST_EPOCHS}, split, seed=0, precision=precision, on_batch=on_batch, on_epoch=on_epoch)
    if len(ends) > 1:
        return Pace(steps[0][0], (ends[-1] - ends[0]) / (len(ends) - 1))
    (first, done_first), (last, done_last) = steps[0], steps[-1]
    training = (last - first) / (done_last - done_first) if len(steps) > 1 else first / done_first
    n_train, n_validation = len(split.partition.train), len(split.partition.validation)
    return Pace(first, training * (1 + _FORWARD_SHARE * n_validation / n_train))


def train_within(
    knobs: Knobs, split: Split, *, seconds: float, pace: Pace, seed: int, precision: str,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None, most_epochs: int | None = None,
) -> tuple[TrainingResult, Any]:  # fmt: skip
    """Train for ``seconds``, the schedule's end included; return the result and the network for raw pixels."""
    deadline = time.perf_counter() + seconds

    def on_batch(share: float) -> Ending | None:
        return Ending(Cause.TIME_UP) if time.perf_counter() > deadline and has_epoch else None

    has_epoch: list[Epoch] = []

    def take(epoch: Epoch) -> None:
        has_epoch.append(epoch)
        on_epoch(epoch)

    epochs = min(pace.epochs_within(seconds), most_epochs or _MOST_EPOCHS)
    lasting = {**knobs, "epochs": epochs, "early_stopping_patience": 0}
    return _train(lasting, split, seed=seed, precision=precision, on_batch=on_batch, on_epoch=take)


def _train(
    knobs: Knobs, split: Split, *, seed: int, precision: str, on_batch: Callable[[float], Ending | None],
    on_epoch: Callable[[Epoch], None],
) -> tuple[TrainingResult, Any]:  # fmt: skip
    bound = Configuration(knobs).bind(split)
    result = train(
        build=bound.build, plan=Configuration(knobs).plan, data=bound.split, metric=get_metric("val_accuracy"),
        seed=seed, precision=resolve_precision(precision), on_batch=on_batch, on_epoch=on_epoch,
    )  # fmt: skip
    return result, bound.finish(result.network)
