"""A training of a configuration within given seconds, with a complete schedule: the recipe alone, and the ranks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pipeline.data.source import Split
from pipeline.knobs.table import Knobs
from pipeline.training.budget import Budget
from pipeline.training.configuration import Configuration
from pipeline.training.device import resolve_precision
from pipeline.training.image_device import choose_image_device
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.speed import Clock
from pipeline.training.trainer import train


def train_within(
    knobs: Knobs, split: Split, *, budget: Budget, seed: int, precision: str,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None, clock: Clock = time.perf_counter,
) -> tuple[TrainingResult, Any]:  # fmt: skip
    """Train within the budget, to the end of the schedule; return the result and the network for raw pixels."""
    configuration = Configuration({**knobs, "early_stopping_patience": 0})
    bound = configuration.bind(split)
    result = train(
        build=bound.build, plan=configuration.plan, data=bound.split, metric=get_metric("val_accuracy"), seed=seed,
        precision=resolve_precision(precision), on_epoch=on_epoch, budget=budget, clock=clock,
        image_device=choose_image_device(bound.split),
    )  # fmt: skip
    return result, bound.finish(result.network)
