"""The documents' sweep by hand, in order: the four steps of one document, then the eight models of the other."""

from __future__ import annotations

from pipeline.knobs.table import Knobs, complete

from .keras_training import KerasTraining
from .progress import Progress
from .spaces import read_prior
from .task import Task

_STEPS = (
    {"dropout_before_pool": 0.2, "dropout_after_pool": 0.2, "epochs": 30, "batch_size": 256},
    {"dropout_before_pool": 0.3, "dropout_after_pool": 0.6, "epochs": 30, "batch_size": 256},
    {"dropout_before_pool": 0.2, "dropout_after_pool": 0.7, "epochs": 50, "batch_size": 256},
    {"dropout_before_pool": 0.1, "dropout_after_pool": 0.8, "epochs": 50, "batch_size": 128},
)
_STEP_NETWORK: Knobs = {
    "blocks": 2, "filters": 64, "batch_norm": False, "kernel_initializer": "glorot_uniform", "head": "flatten",
    "fc_depth": 2, "fc_units": 256, "fc_growth": 0.5,
}  # fmt: skip
_MODELS = (
    {"convs_per_block": 1, "batch_norm": False},
    {"convs_per_block": 2, "batch_norm": False, "filter_pattern": "inside_block"},
    {"convs_per_block": 2, "filter_pattern": "inside_block"},
    {"convs_per_block": 2, "filter_pattern": "inside_block", "fc_depth": 1, "fc_units": 50},
    {"convs_per_block": 2, "filter_pattern": "inside_block", "fc_depth": 2, "fc_units": 100, "fc_growth": 0.5},
    {"convs_per_block": 3, "filter_pattern": "inside_block"},
    {"convs_per_block": 3, "filter_pattern": "inside_block", "fc_depth": 1, "fc_units": 1024},
    {"convs_per_block": 3, "filter_pattern": "inside_block", "fc_depth": 2, "fc_units": 1024, "fc_growth": 0.5},
)
_MODEL_SETTINGS: Knobs = {
    "filters": 16, "batch_norm_momentum": 0.99, "kernel_initializer": "he_uniform", "head": "flatten",
    "batch_size": 32, "epochs": 100, "early_stopping_patience": 10,
}  # fmt: skip


def configurations() -> list[Knobs]:
    """Return the documents' configurations in their order; the mistaken dropout after the softmax is left out."""
    steps = [complete({**_STEP_NETWORK, **step}) for step in _STEPS]
    return [*steps, *(complete({**_MODEL_SETTINGS, **model}) for model in _MODELS)]


def run(task: Task) -> None:
    """Train one after the other until the budget is over, or all are trained.

    Raises:
        BudgetOver: it is.
    """
    training = KerasTraining(task, Progress(task))
    first = [read_prior(task.space_path)] if task.has_prior else []
    for knobs in (*first, *configurations()):
        epochs = int(knobs["epochs"])
        training.fit(training.build(knobs, epochs), knobs, epochs)
