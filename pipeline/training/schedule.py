"""Learning rate schedules: functions of the share of the schedule that is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pipeline.errors import SettingError, did_you_mean
from pipeline.training.scheduler import Piece

WARM_UP_SHARE = 0.05
ONE_CYCLE_PEAK_SHARE = 0.25

Curve = Callable[[Any, Any, float], Any]
"""From the shares done before and after a step, and that of the warm-up, to the rate as a share of the peak."""


def make_learning_rate(kind: str, peak: float, n_steps: int, position: Any = None) -> Any:
    """Return what a Keras optimizer takes as ``learning_rate``, for ``n_steps`` training steps at most.

    ``position`` is the variable that says how the share of the schedule goes on with the steps (None: evenly over
    ``n_steps``). ``one_cycle`` rises linearly to the peak in the first quarter and falls linearly to zero (after Smith
    and Topin, "Super-convergence", 2018). The others rise over a twentieth: ``cosine`` falls along a half cosine
    (Loshchilov and Hutter, "SGDR", 2017), ``linear`` linearly to zero (Li, Yumer and Ramanan, "Budgeted Training",
    2020). ``constant`` and ``plateau`` start at the peak. Under four steps there is no room for a curve: the peak it
    is.

    Raises:
        SettingError: there is no such schedule.
    """
    if kind not in _CURVES:
        raise SettingError(f"learning_rate_schedule must be known, got '{kind}'; {did_you_mean(kind, _CURVES)}")
    curve = _CURVES[kind]
    if curve is None or n_steps * ONE_CYCLE_PEAK_SHARE < 1:
        return peak
    warm_up = max(1, round(WARM_UP_SHARE * n_steps)) / n_steps
    return _schedule(curve, peak, warm_up, position_variable(n_steps) if position is None else position)


def position_variable(n_steps: int) -> Any:
    """Return a variable that holds a piece of a schedule, at first all of ``n_steps``; ``set_position`` changes it."""
    import keras

    return keras.Variable([0.0, n_steps, 0.0, 1.0], dtype="float32", trainable=False)


def set_position(position: Any, piece: Piece) -> None:
    """Have the optimizer's steps go along ``piece``."""
    (start, start_share), (end, end_share) = piece
    position.assign([float(start), float(end - start), start_share, end_share - start_share])


def _schedule(curve: Curve, peak: float, warm_up: float, position: Any) -> Any:
    import keras
    from keras import ops

    class ShareSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """The rate by the share that is done; steps past the end have that of the end."""

        def __call__(self, step: Any) -> Any:
            start, n_steps, start_share, share = ops.unstack(ops.convert_to_tensor(position), 4)
            n_done = ops.cast(step, "float32") - start
            before, after = (ops.minimum(start_share + n / n_steps * share, 1.0) for n in (n_done, n_done + 1))
            return peak * ops.maximum(curve(before, after, warm_up), 0.0)

        def get_config(self) -> dict[str, float]:
            return {"peak": peak, "warm_up": warm_up}

    return ShareSchedule()


def _cosine(before: Any, after: Any, warm_up: float) -> Any:
    from keras import ops

    fallen = ops.maximum(before - warm_up, 0.0) / (1 - warm_up)
    return ops.minimum(before / warm_up, 0.5 * (1 + ops.cos(fallen * math.pi)))


def _linear(before: Any, after: Any, warm_up: float) -> Any:
    from keras import ops

    return ops.minimum(after / warm_up, (1 - before) / (1 - warm_up))


def _one_cycle(before: Any, after: Any, warm_up: float) -> Any:
    from keras import ops

    return ops.minimum(after / ONE_CYCLE_PEAK_SHARE, (1 - after) / (1 - ONE_CYCLE_PEAK_SHARE))


_CURVES: dict[str, Curve | None] = {
    "constant": None,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "plateau": None,  # until a callback reduces it
    "linear": _linear,
}
