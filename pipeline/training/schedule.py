"""Learning rate schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.errors import SettingError, did_you_mean

WARM_UP_SHARE = 0.05
ONE_CYCLE_PEAK_SHARE = 0.25


def make_learning_rate(kind: str, peak: float, n_steps: int) -> Any:
    """Return what a Keras optimizer takes as ``learning_rate`` over ``n_steps`` training steps.

    ``one_cycle`` rises linearly to the peak in the first quarter and falls linearly to zero (after Smith and Topin,
    "Super-convergence", 2018); ``cosine`` rises over a twentieth and falls along a half cosine (Loshchilov and
    Hutter, "SGDR", 2017); ``constant`` and ``plateau`` start at the peak. Under four steps there is no room for a
    curve: the peak it is.

    Raises:
        SettingError: there is no such schedule.
    """
    if kind not in _SCHEDULES:
        raise SettingError(f"learning_rate_schedule must be known, got '{kind}'; {did_you_mean(kind, _SCHEDULES)}")
    return peak if n_steps * ONE_CYCLE_PEAK_SHARE < 1 else _SCHEDULES[kind](peak, n_steps)


def _peak(peak: float, n_steps: int) -> float:
    return peak


def _cosine(peak: float, n_steps: int) -> Any:
    import keras

    warm_up = max(1, round(WARM_UP_SHARE * n_steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=max(1, n_steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def _one_cycle(peak: float, n_steps: int) -> Any:
    import keras

    class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """Rise linearly to ``peak``, then fall linearly to zero."""

        def __call__(self, step: Any) -> Any:
            done = (keras.ops.cast(step, "float32") + 1) / n_steps
            rise = done / ONE_CYCLE_PEAK_SHARE
            fall = (1 - done) / (1 - ONE_CYCLE_PEAK_SHARE)
            return peak * keras.ops.maximum(keras.ops.minimum(rise, fall), 0.0)

        def get_config(self) -> dict[str, float]:
            return {"peak": peak, "n_steps": n_steps}

    return OneCycle()


_SCHEDULES: dict[str, Callable[[float, int], Any]] = {
    "constant": _peak,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "plateau": _peak,  # until a callback reduces it
}
