"""Pruners by name; their resource is the epoch, but for ``wilcoxon``, which compares folds."""

from __future__ import annotations

from collections.abc import Callable

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

from pipeline.errors import SettingError, did_you_mean

_REDUCTION_FACTOR = 4
_STARTUP_TRIALS = 3
_BEST_PERCENT = 33.0
_PATIENCE_EPOCHS = 2
_WORSE_BY_CHANCE = 0.13  # three folds, all of them worse, have p = 1/8; fewer never have as little


PRUNERS: dict[str, Callable[[int], BasePruner]] = {  # called with the most epochs that a trial may train
    "successive_halving": lambda _: SuccessiveHalvingPruner(min_resource=1, reduction_factor=_REDUCTION_FACTOR),
    "hyperband": lambda max_epochs: HyperbandPruner(1, max_epochs, reduction_factor=_REDUCTION_FACTOR),
    "median": lambda _: MedianPruner(n_startup_trials=_STARTUP_TRIALS),
    "percentile": lambda _: PercentilePruner(_BEST_PERCENT, n_startup_trials=_STARTUP_TRIALS),
    "patient": lambda _: PatientPruner(MedianPruner(n_startup_trials=_STARTUP_TRIALS), patience=_PATIENCE_EPOCHS),
    "wilcoxon": lambda _: WilcoxonPruner(p_threshold=_WORSE_BY_CHANCE),
    "none": lambda _: NopPruner(),
}


def make_pruner(name: str, *, max_epochs: int) -> BasePruner:
    """Return the pruner called ``name`` for trials of at most ``max_epochs``.

    ``successive_halving`` is asynchronous (ASHA, Li et al. 2020): after epochs 1, 4, 16, ... the best quarter goes on.
    ``wilcoxon`` prunes a trial whose folds are worse than the best trial's by the signed-rank test (Wilcoxon 1945),
    from the third fold on.

    Raises:
        SettingError: there is no such pruner.
    """
    if name not in PRUNERS:
        raise SettingError(f"pruner must be a known one, got '{name}'; {did_you_mean(name, PRUNERS)}")
    return PRUNERS[name](max_epochs)
