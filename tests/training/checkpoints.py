"""A checkpoint that a test has made."""

from __future__ import annotations

from math import inf, nan

import numpy as np

from pipeline.training.budget import StepSchedule
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.ending import Ending
from pipeline.training.result import Epoch

EPOCHS = (Epoch(1, 0.1 + 0.2, 1 / 3, nan, inf, 1e-45, 5e-324, 1 / 3), Epoch(2, -0.0, 0.1, 0.2, 0.3, 0.01, 1.5))


def checkpoint_of(*, n_values: int = 3, ending: Ending | None = None) -> Checkpoint:
    """Return a checkpoint with numbers of all kinds, some of them hard to write down."""
    return Checkpoint(
        variables=[np.linspace(0, 1, n_values, dtype=np.float32), np.array([2**63 - 1, -1])],
        optimizer_variables=[np.array(2**40), np.array([nan, inf, -0.0, 1e-45], np.float32)],
        best_weights=[np.arange(n_values, dtype=np.float32)],
        epochs=EPOCHS, train_seconds=0.1 + 0.2, ending=ending, seconds_used=0.7,
        steps=StepSchedule(7, ((0, 0.0), (7, 1 / 3), (14, 0.1 + 0.2 + 0.3))),
    )  # fmt: skip
