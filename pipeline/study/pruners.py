"""Pruners by name; their resource is the epoch, but for ``wilcoxon``, which compares folds."""

from __future__ import annotations

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

_REDUCTION_FACTOR = 4
_STARTUP_TRIALS = 3
_BEST_PERCENT = 33.0
_PATIENCE_EPOCHS = 2
_WORSE_BY_CHANCE = 0.13  # three folds, all of them worse, have p = 1/8; fewer never have as little


def make_pruner(name: str, *, max_epochs: int) -> BasePruner:
    """Return the pruner called ``name`` for trials of at most ``max_epochs``.

    ``successive_halving`` is asynchronous (ASHA, Li et al. 2020): after epochs 1, 4, 16, ... the best quarter goes on.
    ``wilcoxon`` prunes a trial whose folds are worse than the best trial's by the signed-rank test (Wilcoxon 1945),
    from the third fold on.
    """
    if name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=max_epochs, reduction_factor=_REDUCTION_FACTOR)
    if name == "median":
        return MedianPruner(n_startup_trials=_STARTUP_TRIALS)
    if name == "percentile":
        return PercentilePruner(_BEST_PERCENT, n_startup_trials=_STARTUP_TRIALS)
    if name == "patient":
        return PatientPruner(MedianPruner(n_startup_trials=_STARTUP_TRIALS), patience=_PATIENCE_EPOCHS)
    if name == "wilcoxon":
        return WilcoxonPruner(p_threshold=_WORSE_BY_CHANCE)
    if name == "none":
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=_REDUCTION_FACTOR)
