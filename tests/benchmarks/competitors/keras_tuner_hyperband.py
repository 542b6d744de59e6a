"""KerasTuner's Hyperband as its users write it; epochs are its resource, so that it searches the other knobs."""

from __future__ import annotations

from typing import Any

from pipeline.knobs.domain import Choices, Domain
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs, complete

from .keras_training import KerasTraining
from .progress import Progress
from .spaces import documents_space, documents_space_with, read_prior
from .task import Task

MAX_EPOCHS = 30
_MANY_ITERATIONS = 1000  # the budget ends it


def run(task: Task) -> None:
    """Search until the budget is over.

    Raises:
        BudgetOver: it is.
    """
    import keras_tuner

    training = KerasTraining(task, Progress(task))
    space = documents_space_with(read_prior(task.space_path)) if task.has_prior else documents_space()
    tuner = keras_tuner.Hyperband(
        _hypermodel(space, training), objective="val_accuracy", max_epochs=MAX_EPOCHS, seed=task.seed,
        hyperband_iterations=_MANY_ITERATIONS, directory=str(task.path / "keras_tuner"), project_name="hyperband",
    )  # fmt: skip
    for params in space.first_params():
        _propose_first(tuner.oracle, {name: value for name, value in params.items() if name != "epochs"})
    tuner.search(verbose=0)


def _hypermodel(space: SearchSpace, training: KerasTraining) -> Any:
    import keras_tuner

    class Network(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            # The schedule spans the most epochs: that Hyperband stops a training earlier is not known when it begins.
            return training.build(_knobs(space, hp), MAX_EPOCHS)

        def fit(self, hp: Any, model: Any, *, epochs: int = MAX_EPOCHS, initial_epoch: int = 0, callbacks: Any = (),
                **others: Any) -> Any:  # fmt: skip
            return training.fit(model, _knobs(space, hp), epochs, initial_epoch=initial_epoch, callbacks=callbacks)

    return Network()


def _knobs(space: SearchSpace, hp: Any) -> Knobs:
    values = {name: _value(hp, name, domain) for name, domain in space.domains.items() if name != "epochs"}
    return complete({**values, "epochs": MAX_EPOCHS})


def _value(hp: Any, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices) and domain.is_fixed:
        return domain.values[0]
    if KNOBS[name].kind == "bool":
        return hp.Boolean(name)
    if isinstance(domain, Choices):
        return hp.Choice(name, list(domain.values))
    if KNOBS[name].kind == "int":
        return hp.Int(name, int(domain.low), int(domain.high), step=int(domain.step or 1))
    return hp.Float(
        name, domain.low, domain.high, step=domain.step, sampling="log" if domain.log else "linear"
    )  # fmt: skip


def _propose_first(oracle: Any, params: Knobs) -> None:
    """Have the oracle draw ``params`` in the place of its first random values: it has no call for that."""
    draw = oracle._random_values

    def first() -> Any:
        oracle._random_values = draw
        return dict(params)

    oracle._random_values = first
