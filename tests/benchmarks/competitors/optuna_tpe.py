"""Plain Optuna as its users write it: TPE proposes, the median pruner judges each epoch, until the time is up."""

from __future__ import annotations

from typing import Any

import optuna

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

    def objective(trial: optuna.Trial) -> float:
        knobs = space.suggest(trial)
        epochs = int(knobs["epochs"])
        network = training.build(knobs, epochs)
        history = training.fit(network, knobs, epochs, callbacks=[_pruning(trial)])
        if trial.should_prune() and len(history.epoch) < epochs:
            raise optuna.TrialPruned
        return float(max(history.history["val_accuracy"]))

    sampler, pruner = optuna.samplers.TPESampler(seed=task.seed), optuna.pruners.MedianPruner()
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    for params in space.first_params():
        study.enqueue_trial(params)
    study.optimize(objective, timeout=task.seconds_left())


def _pruning(trial: optuna.Trial) -> Any:
    import keras

    class Pruning(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            trial.report((logs or {})["val_accuracy"], step=epoch)
            if trial.should_prune():
                self.model.stop_training = True

    return Pruning()
