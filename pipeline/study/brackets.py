"""Brackets: challengers race an incumbent over rungs, as in successive halving, each rung a complete schedule.

What stands after any number of fits follows from these fits and from the sizes of the brackets alone, so that a study
that was killed goes on where it was. Sources: successive halving (Jamieson and Talwalkar 2016) with an incumbent that
every challenger has to beat, as in racing (Hutter et al., SMAC, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pipeline.evaluation.paired import Difference, paired_difference
from pipeline.knobs.table import Knobs
from pipeline.study.fits import MUTATION, PROMOTION, Fit
from pipeline.study.forecast import Errors, forecast_difference
from pipeline.training.metric import Metric

PRIOR = "prior"
PROMOTED_SHARE = 4  # one of so many challengers goes on

Ladder = Mapping[int, float | None]
"""The rungs of a bracket, lowest first, with the seconds or epochs of each; None: a configuration's own epochs."""
IsSlowStarter = Callable[[Knobs, Knobs], bool]


@dataclass(frozen=True)
class Wanted:
    """A fit that may start now, of so many seconds or epochs; ``params`` None: of a new challenger."""

    bracket: int
    rung: int
    resource: float | None
    origin: str = PROMOTION
    parent: int | None = None
    params: Knobs | None = None
    place: int = 0


@dataclass(frozen=True)
class Closed:
    """A bracket that is over: its winner, the incumbent that it met, and the difference on the last rung that both ran.

    ``difference`` is None where no challenger got as far, or where one of the two has no figures.
    """

    bracket: int
    incumbent: int
    winner: int
    difference: Difference | None = None

    @property
    def is_gain(self) -> bool:
        """Whether a challenger replaced the incumbent."""
        return self.winner != self.incumbent


@dataclass(frozen=True)
class Standing:
    """How brackets stand: the incumbent, those that are over, and what the open one wants to start now.

    ``is_over`` where no bracket is open.
    """

    incumbent: int
    closed: tuple[Closed, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    is_over: bool = False


@dataclass(frozen=True, eq=False)
class Brackets:
    """The rules of a race, applied to the ``fits`` of a study.

    ``is_slow_starter`` tells whether the first configuration starts slower than the second, ``is_feasible`` whether a
    fit keeps the limits of the search: one that does not goes no further. ``final_length`` tells from the limit of the
    search how long its final training will be; None where a configuration's own epochs are all that it gets.

    Above the lowest rung configurations are judged by what is expected of the final training; on the lowest one a slow
    starter that is a mutation of the incumbent is judged by nothing. ``closed`` are brackets that were found
    to be over by their number, size and incumbent; it is filled here, for rules that are made anew after each fit.
    """

    ladder: Ladder
    metric: Metric
    fits: Sequence[Fit]
    is_slow_starter: IsSlowStarter
    is_feasible: Callable[[Fit], bool]
    final_length: Callable[[float], float | None] = lambda limit: None
    closed: dict[tuple[int, int, int], Closed] = field(default_factory=dict)

    def standing(self, sizes: Sequence[int], *, start: int) -> Standing:
        """Return how brackets of these sizes stand; they count from 1, and trial ``start`` is the first incumbent."""
        incumbent = start
        closed: list[Closed] = []
        for bracket, size in enumerate(sizes, start=1):
            place = bracket, size, incumbent
            end = self.closed.get(place) or self._race(bracket, size, incumbent)
            if isinstance(end, Standing):
                return replace(end, closed=tuple(closed))
            self.closed[place] = end
            closed.append(end)
            incumbent = end.winner
        return Standing(incumbent, tuple(closed), is_over=True)

    def fit(self, number: int) -> Fit:
        """Return the fit of a trial."""
        return self._by_number[number]

    def fit_of(self, configuration: int, rung: int) -> Fit | None:
        """Return the fit of a configuration on a rung, at its length; None where none was started."""
        return self._by_place.get((configuration, rung, self.ladder.get(rung)))

    def difference(self, first: int, second: int, rung: int) -> Difference | None:
        """Return how much better the first configuration is on a rung; None where one has not finished there."""
        ours, theirs = self.fit_of(first, rung), self.fit_of(second, rung)
        if ours is None or theirs is None or not (ours.has_finished_schedule and theirs.has_finished_schedule):
            return None
        if not self.is_feasible(theirs):
            return None
        return paired_difference(ours.scores, theirs.scores)

    def outlook(self, first: int, second: int, rung: int) -> Difference | None:
        """Return how much better the first will be in the end, by a rung; None where one has not finished there.

        That is the difference on the rung, unless it is a higher one and the final training is longer.
        """
        here = self.difference(first, second, rung)
        final, length = self.final_length(self.fit(first).limit), self.ladder.get(rung)
        errors = [self.errors(one, rung) for one in (first, second)]
        if here is None or final is None or length is None or rung == min(self.ladder) or None in errors:
            return here
        ours, theirs = filter(None, errors)
        return forecast_difference(ours, theirs, here, times_longer=final / length)

    def errors(self, configuration: int, rung: int) -> Errors | None:
        """Return the errors at the end of a rung; None where the schedule was not finished, or one is not known."""
        fit = self.fit_of(configuration, rung)
        training = None if fit is None else fit.figures.get(self.metric.of_training)
        if fit is None or fit.value is None or training is None or not fit.has_finished_schedule:
            return None
        return Errors(self.metric.error_of(fit.value), self.metric.error_of(training))

    def may_catch_up(self, configuration: int, incumbent: int) -> bool:
        """Tell whether a challenger starts slower than the incumbent that it is a mutation of: it goes on anyway."""
        own = self.fit(configuration)
        is_timed = self.final_length(own.limit) is not None
        return is_timed and own.origin == MUTATION and self.is_slow_starter(own.params, self.fit(incumbent).params)

    @cached_property
    def _by_place(self) -> dict[tuple[int, int, float | None], Fit]:
        """The last fit of each configuration, rung and length."""
        return {(fit.configuration, fit.rung, fit.resource): fit for fit in self.fits}

    @cached_property
    def _by_number(self) -> dict[int, Fit]:
        return {fit.number: fit for fit in self.fits}

    @cached_property
    def _entrants(self) -> dict[int, list[Fit]]:
        """The challengers of each bracket, on its lowest rung."""
        lowest, found = min(self.ladder), dict[int, list[Fit]]()
        for fit in self.fits:
            if fit.rung == lowest and fit.origin != PROMOTION:
                found.setdefault(fit.bracket, []).append(fit)
        return found

    def _race(self, bracket: int, size: int, incumbent: int) -> Closed | Standing:
        first, *others = self.ladder
        entrants = self._entrants.get(bracket, [])
        places = range(len(entrants), size)
        if places or not all(fit.has_ended for fit in entrants):
            new = tuple(Wanted(bracket, first, self.ladder[first], origin="", place=place) for place in places)
            return Standing(incumbent, wanted=new)
        runners, rung = [fit.configuration for fit in entrants], first
        for following in others:
            runners = self._promoted(runners, rung, incumbent, n=max(1, size // PROMOTED_SHARE))
            rung = following
            if not runners:
                return Closed(bracket, incumbent, incumbent)
            fits = [self.fit_of(one, rung) for one in (incumbent, *runners)]
            if not all(fit is not None and fit.has_ended for fit in fits):
                return Standing(incumbent, wanted=self._promotions((incumbent, *runners), bracket, rung))
        return self._close(runners, bracket, rung, incumbent)

    def _close(self, runners: list[int], bracket: int, rung: int, incumbent: int) -> Closed:
        finished = [fit.configuration for fit in self._finished(runners, rung)]
        if not finished:
            return Closed(bracket, incumbent, incumbent)
        outlooks = {one: self.outlook(one, incumbent, rung) for one in finished}
        best = max(finished, key=lambda one: math.inf if (found := outlooks[one]) is None else found.mean)
        difference = outlooks[best]
        # A wrong choice costs the final training as much either way: the better odds are enough.
        wins = difference is None or difference.is_likely
        return Closed(bracket, incumbent, best if wins else incumbent, difference)

    def _promotions(self, configurations: Sequence[int], bracket: int, rung: int) -> tuple[Wanted, ...]:
        return tuple(
            Wanted(bracket, rung, self.ladder[rung], PROMOTION, one, self.fit(one).params)
            for one in configurations
            if self.fit_of(one, rung) is None
        )

    def _finished(self, runners: Sequence[int], rung: int) -> list[Fit]:
        """Return the fits of those that finished their schedules and are feasible, the best first."""
        found = [fit for one in runners if (fit := self.fit_of(one, rung)) and fit.has_finished_schedule]
        return sorted(filter(self.is_feasible, found), key=lambda fit: self.metric.loss_of(fit.value or 0.0))

    def _promoted(self, runners: Sequence[int], rung: int, incumbent: int, *, n: int) -> list[int]:
        """Return who goes on: the best, unless they are worse than the incumbent beyond error, and one slow starter."""
        finished = [fit.configuration for fit in self._finished(runners, rung)]
        eligible = [
            one for one in finished if (gap := self.difference(one, incumbent, rung)) is None or gap.is_within_error
        ]
        own = self.fit(incumbent).params
        slow = [one for one in eligible[n:] if self.is_slow_starter(self.fit(one).params, own)]
        slow += [one for one in finished if one not in eligible and self.may_catch_up(one, incumbent)]
        return [*eligible[:n], *slow[:1]]
