"""Samplers by name."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipeline.errors import SettingError, did_you_mean
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs

_STARTUP_TRIALS = 6  # first trials included; TPE's own 10 would be most of a short study
_LATEST, _BEST = 200, 50  # trials that a proposal outside the study follows from: TPE gives older ones little weight
_POPULATION = 10  # of a generation; NSGA-II's own 50 would all be drawn at random in most studies


class ExhaustibleGridSampler(GridSampler):
    """A grid sampler for ask and tell: whoever asks checks ``is_exhausted`` (Optuna's own stops a running optimize)."""

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Leave the study alone."""


class StaticTPESampler(TPESampler):
    """TPE on a space that is known: Optuna's own infers it from all trials, which takes longer with each of them."""

    def __init__(self, distributions: dict[str, BaseDistribution], **options: Any) -> None:
        """Take the distributions of every trial."""
        super().__init__(multivariate=True, **options)
        # Optuna's order, which its draws follow.
        self._distributions = {name: one for name, one in sorted(distributions.items()) if not one.single()}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space."""
        return self._distributions


def derive_seed(seed: int, number: int) -> int:
    """Return a seed of its own for the ``number``-th use of a study's seed."""
    return (seed * 1_000_003 + number) % 2**31


class Seeds(NamedTuple):
    """The seed of a study, for samplers that follow one sequence (quasi-Monte Carlo, grid), and that of one trial."""

    study: int
    trial: int


def _tpe(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return StaticTPESampler(
        space.distributions(), seed=seeds.trial, n_startup_trials=_STARTUP_TRIALS, constant_liar=True
    )


def _random(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return RandomSampler(seed=seeds.trial)


def _gp(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return GPSampler(seed=seeds.trial, n_startup_trials=_STARTUP_TRIALS, deterministic_objective=False)


def _cmaes(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return CmaEsSampler(seed=seeds.trial, n_startup_trials=_STARTUP_TRIALS, warn_independent_sampling=False)


def _qmc(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return QMCSampler(seed=seeds.study, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False)


def _grid(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return ExhaustibleGridSampler(space.grid(), seed=seeds.study)


def _nsga2(space: SearchSpace, seeds: Seeds) -> BaseSampler:
    return NSGAIISampler(population_size=_POPULATION, seed=seeds.trial)


SAMPLERS: dict[str, Callable[[SearchSpace, Seeds], BaseSampler]] = {
    "tpe": _tpe, "random": _random, "gp": _gp, "cmaes": _cmaes, "qmc": _qmc, "grid": _grid, "nsga2": _nsga2,
}  # fmt: skip


def make_sampler(name: str, space: SearchSpace, *, seed: int, draw: int) -> BaseSampler:
    """Return the sampler called ``name``, seeded for the ``draw``-th trial.

    Each trial gets a new sampler, so that an interrupted study continues as it would have without the interruption.

    Raises:
        SettingError: there is no such sampler.
    """
    if name not in SAMPLERS:
        raise SettingError(f"sampler must be a known one, got '{name}'; {did_you_mean(name, SAMPLERS)}")
    return SAMPLERS[name](space, Seeds(seed, derive_seed(seed, draw)))


def propose(study: optuna.Study, name: str, space: SearchSpace, *, seed: int, draw: int) -> Knobs:
    """Return what the sampler proposes next: it is asked in a copy of the study, which may be dropped.

    The copy has the latest and the best trials of a long study. A sampler that follows a sequence (quasi-Monte Carlo)
    gets another sequence for each draw.
    """
    copy = optuna.create_study(directions=study.directions)
    copy.sampler = make_sampler(name, space, seed=derive_seed(seed, draw), draw=draw)
    copy.add_trials(_most_telling(study))
    trial = copy.ask()
    space.suggest(trial)
    return dict(trial.params)


def _most_telling(study: optuna.Study) -> list[FrozenTrial]:
    """Return the latest finished trials and the best ones before them, in their order; attributes are left out."""
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    earlier = sorted(finished[:-_LATEST], key=lambda trial: _rank(trial, study.direction), reverse=True)
    chosen = sorted(earlier[:_BEST], key=lambda trial: trial.number) + finished[-_LATEST:]
    return [
        create_trial(
            state=trial.state, params=trial.params, distributions=trial.distributions, values=trial.values,
            intermediate_values=trial.intermediate_values,
        )
        for trial in chosen
    ]  # fmt: skip


def _rank(trial: FrozenTrial, direction: StudyDirection) -> tuple[bool, int, float]:
    """Return the key by which TPE ranks: completed ones first, then the highest step, then its value."""
    if trial.last_step is None:
        return False, -1, -math.inf
    value = trial.intermediate_values[trial.last_step]
    better = value if direction == StudyDirection.MAXIMIZE else -value
    return trial.state is TrialState.COMPLETE, trial.last_step, better


def takes_constraints(name: str) -> bool:
    """Tell whether trials may have constraints: tpe, gp and nsga2 use them, others ignore them, and cmaes warns."""
    return name != "cmaes"


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
