"""One epoch each of random configurations for half the time, then the best of them in full, the very best first."""

from __future__ import annotations

import optuna

from pipeline.knobs.table import Knobs

from .keras_training import KerasTraining
from .progress import Progress
from .spaces import documents_space, documents_space_with, read_prior
from .task import Task


def run(task: Task) -> None:
    """Search until the budget is over.

    Raises:
        BudgetOver: it is.
    """
    training = KerasTraining(task, Progress(task))
    space = documents_space_with(read_prior(task.space_path)) if task.has_prior else documents_space()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(task.seed))
    for params in space.first_params():
        study.enqueue_trial(params)
    seconds, tried = task.seconds_left(), list[tuple[float, Knobs]]()
    while not tried or task.seconds_left() > seconds / 2:
        knobs = space.suggest(study.ask())
        tried.append((_fit(training, knobs, 1), knobs))
    for _, knobs in sorted(tried, key=lambda one: -one[0]):
        _fit(training, knobs, int(knobs["epochs"]))


def _fit(training: KerasTraining, knobs: Knobs, epochs: int) -> float:
    history = training.fit(training.build(knobs, epochs), knobs, epochs)
    return float(max(history.history["val_accuracy"]))
