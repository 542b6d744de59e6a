"""From a training plan to a Keras optimizer."""

from __future__ import annotations

from typing import Any

from pipeline.training.plan import TrainingPlan
from pipeline.training.schedule import make_learning_rate


def make_optimizer(plan: TrainingPlan, *, n_steps: int) -> Any:
    """Return the plan's optimizer for a training of ``n_steps`` steps."""
    from keras import optimizers

    rate = make_learning_rate(plan.learning_rate_schedule, plan.learning_rate, n_steps)
    decay = plan.weight_decay or None
    if plan.optimizer == "sgd":
        return optimizers.SGD(rate, momentum=plan.momentum, nesterov=plan.momentum > 0, weight_decay=decay)
    if plan.optimizer == "rmsprop":
        return optimizers.RMSprop(rate, momentum=plan.momentum, weight_decay=decay)
    if plan.optimizer == "adamw":
        return optimizers.AdamW(rate, weight_decay=plan.weight_decay)
    return optimizers.Adam(rate, weight_decay=decay)
