"""The story of a search in brackets, line by line as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.knobs.proposals import changes
from pipeline.study.brackets import PRIOR, Brackets, Closed, Ladder, Standing, Wanted
from pipeline.study.challengers import SAMPLER, UNIFORM
from pipeline.study.fits import FINAL, MUTATION, PROMOTION, Fit, rung_name
from pipeline.training.budget import Budget

_ORIGINS = {
    SAMPLER: "proposed by the sampler",
    UNIFORM: "drawn uniformly",
    PRIOR: "drawn from the priors of the space",
}


@dataclass
class Story:
    """Tells what a search does and why; ``say`` gets each line."""

    say: Callable[[str], None]
    is_timed: bool
    metric: str
    _n_told: int = 0

    def open(self, bracket: int, size: int, standing: Standing, rules: Brackets) -> None:
        """Say that a bracket begins, after how the one before ended."""
        self._tell_closed(standing)
        rung = min(rules.ladder)
        own = rules.fit_of(standing.incumbent, rung)
        value = "" if own is None or own.value is None else f" ({self.metric} {own.value:.4f} there)"
        lengths = " and then ".join(self._length(seconds) for seconds in rules.ladder.values())
        self.say(
            f"bracket {bracket}: {size} challenger{'s' * (size > 1)} of trial {standing.incumbent}{value}, "
            f"for {lengths} each"
        )

    def begin(self, wanted: Wanted, fits: Sequence[Fit], budget: Budget) -> None:
        """Say what a fit is."""
        params = wanted.params or {}
        if wanted.rung == FINAL and wanted.bracket == 0:
            whose = (
                "the first configuration" if wanted.parent is None else f"the configuration of trial {wanted.parent}"
            )
            self.say(f"final training: {whose}, for {self._span(budget)}")
        elif wanted.origin == PROMOTION:
            self.say(f"  trial {wanted.parent} runs on rung {rung_name(wanted.rung)}, for {self._span(budget)}")
        elif wanted.bracket == 0:
            self.say(f"first configuration: rung {rung_name(wanted.rung)}, for {self._span(budget)} at most")
        elif wanted.origin == MUTATION:
            before = next(fit.params for fit in fits if fit.number == wanted.parent)
            self.say(f"  challenger: trial {wanted.parent} with {changes(before, params)}")
        else:
            incumbent = next(fit.params for fit in fits if fit.bracket == 0)
            self.say(f"  challenger {_ORIGINS[wanted.origin]}: {changes(incumbent, params)}")

    def end_exploring(self, reason: str, standing: Standing, meeting: Ladder) -> None:
        """Say why no further bracket begins."""
        self._tell_closed(standing)
        self.say(f"exploring ends: {reason}")
        for seconds in meeting.values():
            self.say(f"the incumbent and the first configuration meet once more, for {self._length(seconds)}")

    def close(self, rules: Brackets, start: int, winner: int) -> None:
        """Say what the search brought against the configuration that it was given first."""
        finals = [fit for fit in rules.fits if fit.configuration == winner and fit.rung == FINAL]
        if not any(fit.has_finished_schedule for fit in finals):
            self.say("no final training was finished; the same command goes on, with a larger limit where time is up")
        if winner == start:
            self.say("the search found nothing better than the first configuration by more than a standard error")
            return
        params = {fit.number: fit.params for fit in rules.fits}
        rung = max((one for one in rules.ladder if rules.difference(winner, start, one)), default=None)
        gain = "" if rung is None else f" by {rules.outlook(winner, start, rung)}, by rung {rung_name(rung)}"
        changed = changes(params[start], params[winner])
        self.say(f"the search improved on the first configuration{gain}: {changed}")

    def _tell_closed(self, standing: Standing) -> None:
        for closed in standing.closed[self._n_told :]:
            self.say(_describe(closed))
        self._n_told = len(standing.closed)

    def _span(self, budget: Budget) -> str:
        if self.is_timed:
            return self._length(budget.seconds)
        return self._length(budget.epochs)

    def _length(self, resource: float | None) -> str:
        if resource is None:
            return "all of its epochs"
        if not self.is_timed:
            return f"{resource:g} epochs"
        return f"{resource:.0f} s" if resource < 120 else f"{resource / 60:.1f} min"


def _describe(closed: Closed) -> str:
    head = f"bracket {closed.bracket}:"
    if closed.is_gain:
        gain = f": {closed.difference}" if closed.difference else ""
        return f"{head} trial {closed.winner} replaces trial {closed.incumbent}{gain}"
    if closed.difference is None:
        return f"{head} trial {closed.incumbent} stays, no challenger came within a standard error of it"
    return f"{head} trial {closed.incumbent} stays, the best challenger differs by {closed.difference}"
