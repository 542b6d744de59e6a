"""A study bounded by a number of trials: rungs in epochs, so that one worker repeats it exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.study.brackets import PROMOTED_SHARE, Brackets, Ladder, Standing
from pipeline.study.fits import FINAL, FINISHED, RESOURCE, Fit
from pipeline.tracking import names
from pipeline.training.budget import Budget
from pipeline.workers.events import Ended

REDUCTION = 4  # the next rung is so many times longer
_LEAST_TRIALS = 5  # for fewer, short rungs would leave nothing for full trainings
_LEAST_EPOCHS = 4
_EPOCHS_OF_TWO_RUNGS = 32
_CHALLENGERS, _MANY_CHALLENGERS, _MANY_TRIALS = 4, 8, 60


def most_challengers(most: int, *, n_left: int, n_long: int) -> int:
    """Return how many challengers a bracket can have whose promotions, a slow starter's included, are to be made, too.

    ``n_left`` trials may be started, of which at least ``n_long`` are on longer rungs.
    """
    sizes = [size for size in range(1, most + 1) if size + max(1, size // PROMOTED_SHARE) + n_long <= n_left]
    return max(sizes, default=0)


@dataclass(frozen=True)
class TrialBudget:
    """``n_trials`` in all, finished ones; a full training has the epochs of its own configuration.

    The lower rungs follow from ``full_epochs``, those of the first incumbent.
    """

    n_trials: int
    full_epochs: int

    is_timed = False
    rung_seconds = None
    tag = names.BUDGET_EPOCHS

    @property
    def limit(self) -> float:
        """The number that a larger one extends a study beyond."""
        return self.n_trials

    def ladder(self, fits: Sequence[Fit]) -> Ladder:
        """Return the rungs: about four epochs, four times as many, and the full training, which may be one of these."""
        if self.n_trials < _LEAST_TRIALS or self.full_epochs < _LEAST_EPOCHS:
            return {FINAL: None}
        if self.full_epochs < _EPOCHS_OF_TWO_RUNGS:
            return {0: round(self.full_epochs / REDUCTION), FINAL: None}
        first = max(_LEAST_EPOCHS, self.full_epochs // REDUCTION**2)
        return {0: first, 1: first * REDUCTION}

    def final_length(self, limit: float) -> None:
        """Say that rungs in epochs do not count on a longer training."""

    def budget(self, rung: int, resource: float | None, fits: Sequence[Fit]) -> Budget:
        """Return what a fit with so many epochs may use."""
        return Budget(epochs=None if resource is None else int(resource))

    def n_left(self, fits: Sequence[Fit]) -> int:
        """Return how many fits may still be started: failed ones do not count."""
        return self.n_trials - sum(fit.state in FINISHED or not fit.has_ended for fit in fits)

    def next_bracket(self, standing: Standing, rules: Brackets) -> int | str:
        """Return how many challengers the next bracket has, or why there is none."""
        lacks_full = not any(fit.configuration == standing.incumbent and fit.rung == FINAL for fit in rules.fits)
        n_free = self.n_left(rules.fits) - lacks_full
        if n_free <= 0:
            return "the trials are used up"
        n_lacking = sum(rules.fit_of(standing.incumbent, rung) is None for rung in rules.ladder if rung != FINAL)
        most = _MANY_CHALLENGERS if self.n_trials >= _MANY_TRIALS else _CHALLENGERS
        n_long = (len(rules.ladder) - 1) + n_lacking
        return max(1, most_challengers(most, n_left=n_free, n_long=n_long))

    def n_finals_lacking(self, finals: Sequence[Fit], winner: int, n_finals: int) -> int:
        """Return how many final trainings are to be started: the winner's, unless it was trained in full already."""
        return 0 if any(fit.configuration == winner for fit in finals) else 1

    def settle(self, known: Mapping[str, Any], ended: Ended) -> float | None:
        """Return the epochs of a fit that has ended, by the attributes of its trial."""
        epochs: float | None = known[RESOURCE]
        return epochs

    def meeting(self, ladder: Ladder) -> Ladder:
        """Return no longer rung: full trainings follow."""
        return {}
