"""What a study's trials keep that Optuna cannot express, and how it is read."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial

from pipeline.study.fits import FINISHED, VALUE

RUN_ID, OWNER, DEATHS, VAL_ACCURACY = "run_id", "owner", "deaths", "val_accuracy"
STUDY_RUN = "run_id"  # an attribute of the study


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the finished trials, pruned ones included."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def metric_value(trial: FrozenTrial) -> float | None:
    """Return the metric of a trial's best epoch; None where it has none."""
    if VALUE in trial.user_attrs:
        return float(trial.user_attrs[VALUE])
    return trial.values[0] if trial.values is not None and len(trial.values) == 1 else None  # of an older study
