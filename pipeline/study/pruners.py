"""Pruners by name; their steps are epochs or parts of a schedule, but for ``wilcoxon``, which compares folds."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import SettingError, did_you_mean

_REDUCTION_FACTOR = 4
_STARTUP_TRIALS = 3
_BEST_PERCENT = 33.0
_PATIENCE_EPOCHS = 2
_WORSE_BY_CHANCE = 0.13  # three folds, all of them worse, have p = 1/8; fewer never have as little
_CATCH_UP = 2.0


class ReachablePruner(BasePruner):
    """Prunes a trial that is half done and cannot reach the best completed one any more.

    That is: not even with twice the improvement that any completed trial still made from the same step to its end. It
    judges once, at half of ``n_steps``: earlier a schedule with a warm-up tells little, later there is little to save.
    """

    def __init__(self, n_steps: int) -> None:
        """Take the number of steps of a whole trial."""
        self._step = max(1, n_steps // 2)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Tell whether the trial is to be pruned after its last reported step."""
        others = [
            (other.intermediate_values[self._step], other.value)
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if self._step in other.intermediate_values and other.value is not None
        ]
        if self._step not in trial.intermediate_values or not others:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        improvement = max(sign * (end - then) for then, end in others)
        best = max(sign * end for _, end in others)
        return sign * trial.intermediate_values[self._step] + _CATCH_UP * max(improvement, 0.0) < best


PRUNERS: dict[str, Callable[[int], BasePruner]] = {  # called with the most steps that a trial may report
    "reachable": ReachablePruner,
    "successive_halving": lambda _: SuccessiveHalvingPruner(min_resource=1, reduction_factor=_REDUCTION_FACTOR),
    "hyperband": lambda max_steps: HyperbandPruner(1, max_steps, reduction_factor=_REDUCTION_FACTOR),
    "median": lambda _: MedianPruner(n_startup_trials=_STARTUP_TRIALS),
    "percentile": lambda _: PercentilePruner(_BEST_PERCENT, n_startup_trials=_STARTUP_TRIALS),
    "patient": lambda _: PatientPruner(MedianPruner(n_startup_trials=_STARTUP_TRIALS), patience=_PATIENCE_EPOCHS),
    "wilcoxon": lambda _: WilcoxonPruner(p_threshold=_WORSE_BY_CHANCE),
    "none": lambda _: NopPruner(),
}


def make_pruner(name: str, *, max_steps: int) -> BasePruner:
    """Return the pruner called ``name`` for trials of at most ``max_steps``: epochs, or parts of a schedule.

    ``successive_halving`` is asynchronous (ASHA, Li et al. 2020): after epochs 1, 4, 16, ... the best quarter goes on.
    ``wilcoxon`` prunes a trial whose folds are worse than the best trial's by the signed-rank test (Wilcoxon 1945),
    from the third fold on.

    Raises:
        SettingError: there is no such pruner.
    """
    if name not in PRUNERS:
        raise SettingError(f"pruner must be a known one, got '{name}'; {did_you_mean(name, PRUNERS)}")
    return PRUNERS[name](max_steps)


def takes_notes(pruner: BasePruner) -> bool:
    """Tell whether a pruner notes with a trial what it saw when it was asked: the rungs of successive halving."""
    return isinstance(pruner, SuccessiveHalvingPruner | HyperbandPruner)
