"""A search in brackets without training: a made-up landscape says how good each configuration is after so long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.trial import TrialState

from pipeline.evaluation.paired import pack_scores
from pipeline.knobs.domain import Choices, Range
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.study.agenda import Agenda
from pipeline.study.bracket_search import BracketSearch
from pipeline.study.challengers import Challengers
from pipeline.study.fits import Curve, Fit, read_fits
from pipeline.study.pruners import make_pruner
from pipeline.study.rung_pruning import RungPruning
from pipeline.study.story import Story
from pipeline.study.time_budget import TimeBudget
from pipeline.study.time_limit import TimeLimit
from pipeline.study.trial_budget import TrialBudget
from pipeline.training.budget import Budget
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch
from pipeline.workers.events import Ended, EpochEnd
from pipeline.workers.job import Job

optuna.logging.set_verbosity(optuna.logging.WARNING)
METRIC = get_metric("val_accuracy")
N_IMAGES, N_VALIDATION = 1000, 2000
SPACE = SearchSpace(
    "simulated.yaml",
    {
        "learning_rate": Range(1e-4, 1.0, log=True),
        "filters": Choices((8, 16, 32)),
        "batch_size": Choices((10,)),
        "epochs": Range(5, 2000),
    },
    first_trials=({"learning_rate": 0.1, "filters": 16, "epochs": 16},),
)


def accuracy(params: Knobs, seconds: float) -> float:
    """Return the accuracy after so many seconds: best with learning rate 0.1 and many filters."""
    miss = abs(math.log10(float(params["learning_rate"])) + 1)
    return max(0.1, training_accuracy(params, seconds) - 0.1 - 0.1 * miss + 0.002 * (float(params["filters"]) - 16))


def training_accuracy(params: Knobs, seconds: float) -> float:
    """Return the accuracy on training images after so many seconds, which any configuration learns in the end."""
    return float(1 - 0.5 * (1 + seconds) ** -0.3)


@dataclass
class Simulation:
    """A study whose fits cost simulated seconds: a tenth of a second an image more or less, and an overhead each."""

    minutes: float | None = None
    trials: int = 20
    accuracy_of: Callable[[Knobs, float], float] = accuracy
    training_accuracy_of: Callable[[Knobs, float], float] = training_accuracy
    overhead: float = 1.0
    epoch_seconds: float = 2.0
    pruner: str = "reachable"
    space: SearchSpace = SPACE
    accepts: Callable[[Knobs], bool] = lambda params: True
    is_slow_starter: Callable[[Knobs, Knobs], bool] = lambda ours, theirs: False
    study: optuna.Study = field(default_factory=lambda: optuna.create_study(direction="maximize"))
    now: float = 0.0
    lines: list[str] = field(default_factory=list)
    n_workers: int = 1
    n_finals: int = 1

    def strategy(self) -> BracketSearch:
        """Return the strategy as a command makes it, from nothing but the study."""
        limit = TimeLimit.of(self.study, minutes=self.minutes, start=self.now)
        limit.clock = lambda: self.now
        self._limit = limit
        full: Knobs = {"epochs": 2000} if self.minutes else {}
        start = self.space.first_params()[0]
        budgets: TimeBudget | TrialBudget = TrialBudget(self.trials, full_epochs=int(start["epochs"]))
        if self.minutes is not None:
            budgets = TimeBudget(
                self.study, limit, n_images=N_IMAGES, n_folds=1, batch_size=10, most_epochs=2000, most_trials=10**9,
                n_workers=self.n_workers,
            )  # fmt: skip
        agenda = Agenda(
            self.study, METRIC, budgets, Story(self.lines.append, self.minutes is not None, METRIC.name),
            start={**start, **full}, full=full, is_slow_starter=self.is_slow_starter,
            is_feasible=lambda fit: True, n_finals=self.n_finals,
        )  # fmt: skip
        slower = self.is_slow_starter if self.minutes is not None else None
        challengers = Challengers(self.study, self.space, "tpe", 0, self.accepts, slower)

        def make_pruning(fits: list[Fit]) -> RungPruning:
            return RungPruning(METRIC, make_pruner(self.pruner, max_steps=20), fits)

        return BracketSearch(METRIC, agenda, challengers, make_pruning)

    def run(self, strategy: BracketSearch, *, n_fits: int = 10**6) -> list[Fit]:
        """Train until nothing is left, or ``n_fits`` more."""
        while n_fits and strategy.n_left(0) and (trial := self._ask(strategy)) is not None:
            n_fits -= 1
            self._train(strategy, trial)
            self._limit.record(self.study, at_once=True)
        return read_fits(self.study)

    def _ask(self, strategy: BracketSearch) -> optuna.Trial | None:
        proposal = strategy.propose()
        if proposal is None:
            return None
        assert proposal.params is not None
        self.study.enqueue_trial(proposal.params, user_attrs=dict(proposal.attributes))
        trial = self.study.ask()
        self.space.suggest(trial)
        return trial

    def _train(self, strategy: BracketSearch, trial: optuna.Trial) -> None:
        frozen = self.study.get_trials(deepcopy=False)[trial.number]
        budget = strategy.budget(frozen)
        seconds, best = self._seconds(trial, budget), None
        job = Job(f"trial-{trial.number}", None, seed=0, tags={}, number=trial.number)
        ending, trained, n_epochs = None, 0.0, max(1, math.ceil(seconds / self.epoch_seconds))
        for number in range(1, n_epochs + 1):
            trained = seconds * number / n_epochs
            value = self.accuracy_of(trial.params, trained)
            best = Epoch(number, 1.0, value, 1.0, value, 0.1, 1.0, share=number / n_epochs)
            ending = strategy.judge(trial, job, EpochEnd(trial.number, 1, best))
            if ending is not None:
                break
        self.now += trained + self.overhead
        assert best is not None
        speed = N_IMAGES / self.epoch_seconds
        figures = {
            "train_seconds": trained, "images_per_second": speed, "n_parameters": 1000,
            "train_accuracy": self.training_accuracy_of(trial.params, trained),
        }  # fmt: skip
        ended = Ended(
            trial.number, job.name, ending or Ending(Cause.COMPLETE), best, trained + self.overhead, figures,
            _scores(best.val_accuracy),
        )  # fmt: skip
        ended = strategy.conclude(trial, ended)
        if ended.ending.state is State.COMPLETE:
            self.study.tell(trial, best.val_accuracy)
        else:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def _seconds(self, trial: optuna.Trial, budget: Budget) -> float:
        epochs = min(int(trial.params["epochs"]), budget.epochs or 10**9)
        return min(epochs * self.epoch_seconds, budget.seconds or math.inf)


def _scores(value: float) -> str:
    """Return right answers for this share of the images: the same ones, as networks of one data set agree."""
    return pack_scores(np.arange(N_VALIDATION) < value * N_VALIDATION)


def rungs_of(fits: list[Fit]) -> list[tuple[int, int, str]]:
    """Return bracket, rung and origin of each fit."""
    return [(fit.bracket, fit.rung, fit.origin) for fit in fits]


def fit_of(params: Knobs, *, curve: Curve | None = None, figures: dict[str, float] | None = None) -> Fit:
    """Return a fit on the lowest rung that has ended, with this curve and these figures."""
    return Fit(
        number=0, params=params, state=TrialState.COMPLETE, bracket=1, rung=0, origin="mutation", parent=None,
        resource=1.0, limit=1.0, value=curve[-1][1] if curve else 0.5, curve=curve or [], figures=figures or {},
        seconds=1.0, packed_scores="",
    )  # fmt: skip
