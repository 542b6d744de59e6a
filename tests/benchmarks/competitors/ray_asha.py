"""Ray Tune as its users write it: ASHA ends trials early, Optuna proposes them; one at a time, on the one core."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import optuna

from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import complete

from .keras_training import KerasTraining
from .progress import BudgetOver, Progress
from .spaces import documents_space, documents_space_with, read_prior
from .task import Task, read_task


def run(task: Task) -> None:
    """Search until the budget is over."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1"}  # a trial begun too late
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    space = documents_space_with(read_prior(task.space_path)) if task.has_prior else documents_space()
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)

    fixed = {name: domain.values[0] for name, domain in space.domains.items() if domain.is_fixed}
    search = OptunaSearch(
        _distributions(space),
        metric="val_accuracy",
        mode="max",
        seed=task.seed,
        points_to_evaluate=space.first_params() or None,
    )
    tuner = tune.Tuner(
        tune.with_parameters(train, task_file=str(task.task_file), fixed=fixed),
        tune_config=tune.TuneConfig(
            metric="val_accuracy", mode="max", search_alg=search, num_samples=-1, max_concurrent_trials=1,
            scheduler=ASHAScheduler(max_t=space.max_epochs, grace_period=1, reduction_factor=4),
            reuse_actors=task.has_prior,  # part of our speed: by default each trial imports TensorFlow anew
        ),
        run_config=tune.RunConfig(storage_path=str(task.path / "ray"), verbose=0, stop=_stopper(task)),
    )  # fmt: skip
    tuner.fit()


def _stopper(task: Task) -> Any:
    """Return what ends all trials when the budget is over."""
    from ray import tune

    class BudgetStopper(tune.Stopper):  # type: ignore[misc]
        def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return Progress.of(task).is_over

    return BudgetStopper()


def _distributions(space: SearchSpace) -> dict[str, Any]:
    """Return the space as Optuna's distributions, which Ray's search takes in the place of its own."""
    trial = optuna.create_study().ask()
    space.suggest(trial)
    return dict(trial.distributions)


def train(config: Mapping[str, Any], *, task_file: str, fixed: Mapping[str, Any]) -> None:
    """Train one trial in a process of Ray's, which reports each epoch."""
    from pathlib import Path

    task = read_task(Path(task_file))
    try:
        training = KerasTraining(task, Progress.of(task))
        knobs = complete({**fixed, **config})
        epochs = int(knobs["epochs"])
        training.fit(training.build(knobs, epochs), knobs, epochs, callbacks=[_reporting()])
    except BudgetOver:
        return


def _reporting() -> Any:
    import keras
    from ray import tune

    class Reporting(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            tune.report({"val_accuracy": (logs or {})["val_accuracy"]})

    return Reporting()
