"""Samplers by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import SettingError
from pipeline.knobs.space import SearchSpace

_STARTUP_TRIALS = 6  # first trials included; TPE's own 10 would be most of a short study


class ExhaustibleGridSampler(GridSampler):
    """A grid sampler for ask and tell: whoever asks checks ``is_exhausted`` (Optuna's own stops a running optimize)."""

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Leave the study alone."""


def derive_seed(seed: int, number: int) -> int:
    """Return a seed of its own for the ``number``-th use of a study's seed."""
    return (seed * 1_000_003 + number) % 2**31


def make_sampler(name: str, space: SearchSpace, *, seed: int, draw: int) -> BaseSampler:
    """Return the sampler called ``name``, seeded for the ``draw``-th trial.

    A sampler is made anew for each trial, so that a study goes on after an interruption as it would have without.
    Those that keep their course in the study (quasi-Monte Carlo, grid) take the plain seed.
    """
    trial_seed = derive_seed(seed, draw)
    if name == "random":
        return RandomSampler(seed=trial_seed)
    if name == "gp":
        return GPSampler(seed=trial_seed, n_startup_trials=_STARTUP_TRIALS, deterministic_objective=False)
    if name == "cmaes":
        return CmaEsSampler(seed=trial_seed, n_startup_trials=_STARTUP_TRIALS, warn_independent_sampling=False)
    if name == "qmc":
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False)
    if name == "grid":
        return ExhaustibleGridSampler(space.grid(), seed=seed)
    return TPESampler(seed=trial_seed, n_startup_trials=_STARTUP_TRIALS, multivariate=True, constant_liar=True)


def check_sampler(name: str, space: SearchSpace) -> None:
    """Check that the sampler can work here and on this space.

    Raises:
        SettingError: its library is missing.
        SpaceError: a grid over a range without a step.
    """
    if name == "gp" and importlib.util.find_spec("torch") is None:
        raise SettingError("sampler gp needs PyTorch, which is not installed; run pip install 'knobsearch[gp]'")
    if name == "grid":
        space.grid()


def is_exhausted(name: str, space: SearchSpace, study: optuna.Study) -> bool:
    """Tell whether a grid has no point left; other samplers never end."""
    return name == "grid" and ExhaustibleGridSampler(space.grid()).is_exhausted(study)
