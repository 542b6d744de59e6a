"""The strategies by name, made for a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import optuna

from pipeline.evaluation.limits import Limits
from pipeline.knobs.table import Knobs
from pipeline.study.agenda import Agenda
from pipeline.study.bracket_search import BracketSearch
from pipeline.study.challengers import Challengers
from pipeline.study.feasibility import Feasibility
from pipeline.study.first_configuration import choose_first
from pipeline.study.fits import Fit, read_fits
from pipeline.study.preparation import Preparation
from pipeline.study.pruners import make_pruner
from pipeline.study.rung_pruning import SCHEDULE_STEPS, RungPruning
from pipeline.study.story import Story
from pipeline.study.strategy import Strategy
from pipeline.study.time_budget import TimeBudget
from pipeline.study.time_limit import TimeLimit
from pipeline.study.trial_budget import TrialBudget
from pipeline.study.whole_trainings import WholeTrainings
from pipeline.workers.executor import Executor


@dataclass(frozen=True, eq=False)
class _Setup:
    """What the strategies of a study are made of."""

    preparation: Preparation
    study: optuna.Study
    limit: TimeLimit
    executor: Executor
    say: Callable[[str], None]


def check_limits(preparation: Preparation) -> None:
    """Check that a configuration of the space keeps the limit of parameters.

    Raises:
        SettingError: none does.
    """
    choose_first(preparation.space, _feasibility(preparation), seed=preparation.settings.seed)


def _feasibility(preparation: Preparation) -> Feasibility:
    images, settings = preparation.data.images, preparation.settings
    return Feasibility(
        preparation.space,
        images.input_shape,
        len(images.class_names),
        Limits(settings.max_parameters, settings.max_latency_ms),
    )


def make_strategy(
    preparation: Preparation, study: optuna.Study, limit: TimeLimit, executor: Executor, say: Callable[[str], None]
) -> Strategy:
    """Return the strategy of the settings; ``say`` gets what it tells people, line by line.

    Raises:
        SettingError: no configuration keeps the limits of the settings.
    """
    return _STRATEGIES[preparation.settings.strategy](_Setup(preparation, study, limit, executor, say))


def _whole_trainings(setup: _Setup) -> Strategy:
    preparation, most = setup.preparation, setup.preparation.settings.max_parameters
    space, keeps_limits = preparation.space, _feasibility(preparation).keeps_limits
    first = tuple(params for params in space.first_params() if keeps_limits(params))
    n_left_out = len(space.first_trials) - len(first)
    if n_left_out:
        n_given = len(space.first_trials)
        setup.say(f"{n_left_out} of the {n_given} first trials have more than {most:,} parameters and are left out")
    return WholeTrainings(
        setup.study, preparation.settings, space, preparation.metric, preparation.data.n_splits, first=first,
        keeps_limits=None if most is None else keeps_limits,
    )  # fmt: skip


def _brackets(setup: _Setup) -> Strategy:
    preparation, study = setup.preparation, setup.study
    settings, space, data, metric = preparation.settings, preparation.space, preparation.data, preparation.metric
    feasibility = _feasibility(preparation)
    start = choose_first(space, feasibility, seed=settings.seed)
    budgets = _budgets(setup, space.knobs_of(start))
    full: Knobs = {"epochs": space.max_epochs} if budgets.is_timed and "epochs" in space.searched else {}

    def accepts(params: Knobs) -> bool:
        seconds = budgets.rung_seconds
        is_fast = seconds is None or feasibility.is_fast_enough(params, seconds=seconds, fits=read_fits(study))
        return is_fast and feasibility.keeps_limits(params)

    agenda = Agenda(
        study, metric, budgets, Story(setup.say, budgets.is_timed, metric.name), start={**start, **full}, full=full,
        is_slow_starter=feasibility.is_slow_starter, is_feasible=feasibility.is_feasible,
        n_finals=setup.executor.n_devices,
    )  # fmt: skip
    slower = feasibility.is_slow_starter if budgets.is_timed else None
    challengers = Challengers(study, space, settings.sampler, settings.seed, accepts, slower)
    return BracketSearch(metric, agenda, challengers, _make_pruning(preparation), data.n_splits)


def _budgets(setup: _Setup, knobs: Knobs) -> TimeBudget | TrialBudget:
    """Return the budget of a search whose first incumbent has these knobs."""
    settings, data, space = setup.preparation.settings, setup.preparation.data, setup.preparation.space
    if settings.timeout_minutes is None:
        return TrialBudget(settings.most_trials, full_epochs=int(knobs["epochs"]))
    return TimeBudget(
        setup.study, setup.limit, n_images=len(data.partitions[0].train), n_folds=data.n_splits,
        batch_size=int(knobs["batch_size"]), most_epochs=space.max_epochs, most_trials=settings.most_trials,
        n_workers=setup.executor.n_places,
    )  # fmt: skip


def _make_pruning(preparation: Preparation) -> Callable[[list[Fit]], RungPruning]:
    """Return what makes the pruning of a rung from those that have finished it."""
    settings, n_splits = preparation.settings, preparation.data.n_splits
    n_steps = n_splits if n_splits > 1 else SCHEDULE_STEPS
    return lambda survivors: RungPruning(
        preparation.metric, make_pruner(settings.pruner, max_steps=n_steps), survivors, n_steps
    )  # fmt: skip


_STRATEGIES: dict[str, Callable[[_Setup], Strategy]] = {"brackets": _brackets, "plain": _whole_trainings}
