"""From a training plan to a Keras optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline.errors import SettingError, did_you_mean
from pipeline.training.plan import TrainingPlan
from pipeline.training.schedule import make_learning_rate


def make_optimizer(plan: TrainingPlan, *, n_steps: int, position: Any = None, backbone: Iterable[Any] = ()) -> Any:
    """Return the plan's optimizer for a training of ``n_steps`` steps at most.

    ``position`` is the variable with the place in the schedule (None: evenly over all steps); ``backbone`` are the
    variables of a backbone that are trained.

    Raises:
        SettingError: there is no such optimizer or schedule.
    """
    if plan.optimizer not in _OPTIMIZERS:
        hint = did_you_mean(plan.optimizer, _OPTIMIZERS)
        raise SettingError(f"optimizer must be known, got '{plan.optimizer}'; {hint}")
    rate = make_learning_rate(plan.learning_rate_schedule, plan.learning_rate, n_steps, position)
    optimizer = _OPTIMIZERS[plan.optimizer](plan, rate)
    if plan.batch_norm_bias_rate != 1:
        _multiply_rate(optimizer, plan.batch_norm_bias_rate, _is_norm_bias)
    if plan.backbone_rate != 1:
        inside = {id(variable.value) for variable in backbone}
        _multiply_rate(optimizer, plan.backbone_rate, lambda variable: id(variable) in inside)
    return optimizer


def _is_norm_bias(variable: Any) -> bool:
    """Tell whether a variable is the bias of a normalization layer, which Keras calls beta.

    Their rate is multiplied after hlb-CIFAR10 (Balsam, 2023) and airbench (Jordan, 2024), by 64 there.
    """
    return bool(variable.name.rpartition("/")[2].removesuffix(":0") == "beta")


def _multiply_rate(optimizer: Any, factor: float, applies: Callable[[Any], bool]) -> None:
    """Multiply the learning rate of the variables of TensorFlow to which it ``applies``; not their decay."""
    update_step = optimizer.update_step

    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        update_step(gradient, variable, learning_rate * factor if applies(variable) else learning_rate)

    optimizer.update_step = update


def _adam(plan: TrainingPlan, rate: Any) -> Any:
    from keras import optimizers

    return optimizers.Adam(rate, weight_decay=plan.weight_decay or None)


def _adamw(plan: TrainingPlan, rate: Any) -> Any:
    from keras import optimizers

    return optimizers.AdamW(rate, weight_decay=plan.weight_decay)


def _sgd(plan: TrainingPlan, rate: Any) -> Any:
    from keras import optimizers

    nesterov, decay = plan.momentum > 0, plan.weight_decay or None
    return optimizers.SGD(rate, momentum=plan.momentum, nesterov=nesterov, weight_decay=decay)


def _rmsprop(plan: TrainingPlan, rate: Any) -> Any:
    from keras import optimizers

    return optimizers.RMSprop(rate, momentum=plan.momentum, weight_decay=plan.weight_decay or None)


_OPTIMIZERS: dict[str, Callable[[TrainingPlan, Any], Any]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
    "rmsprop": _rmsprop,
}
