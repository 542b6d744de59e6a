"""What a search in brackets trains next; it follows from the trials, and from decisions that the study keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import optuna

from pipeline.knobs.table import Knobs
from pipeline.study.brackets import PRIOR, Brackets, Closed, IsSlowStarter, Ladder, Standing, Wanted
from pipeline.study.fits import FINAL, PROMOTION, Fit, read_fits
from pipeline.study.story import Story
from pipeline.study.time_budget import TimeBudget
from pipeline.study.trial_budget import TrialBudget
from pipeline.training.metric import Metric

SIZES, EXPLORED = "bracket_sizes", "explored"  # attributes of the study: decisions that depended on the time


@dataclass(eq=False)
class Agenda:
    """The first configuration, brackets, where there is time one more meeting of the two best, the final training.

    ``start`` are the parameters of the first incumbent, ``full`` those that every final training has. ``n_finals``
    configurations are trained at the end side by side: one, or one a GPU.
    """

    study: optuna.Study
    metric: Metric
    budgets: TimeBudget | TrialBudget
    story: Story
    start: Knobs
    full: Knobs
    is_slow_starter: IsSlowStarter
    is_feasible: Callable[[Fit], bool]
    n_finals: int = 1
    _closed: dict[tuple[int, int, int], Closed] = field(default_factory=dict)

    @cached_property
    def fits(self) -> list[Fit]:
        """The fits so far."""
        return read_fits(self.study)

    @cached_property
    def wanted(self) -> tuple[Wanted, ...]:
        """The fits that may start now; none where those at work decide what follows."""
        return self._next_fits()

    @cached_property
    def rules(self) -> Brackets:
        """The rules of the brackets, on the rungs as far as they are known."""
        return self._rules(self.budgets.ladder(self.fits))

    @cached_property
    def incumbent(self) -> Fit | None:
        """The first fit of the present incumbent; None before there is one."""
        if self.start_number is None:
            return None
        return self.rules.fit(self._standing(self.start_number).incumbent)

    def forget(self) -> None:
        """Read the trials anew when next asked: one of them has changed."""
        for name in ("fits", "wanted", "rules", "incumbent"):
            self.__dict__.pop(name, None)

    @property
    def start_number(self) -> int | None:
        """Number of the first configuration; None before it was started."""
        return next((fit.number for fit in self.fits if fit.bracket == 0 and fit.origin == PRIOR), None)

    @property
    def is_final(self) -> bool:
        """Whether final trainings that have the machine to themselves come next, or go on."""
        finals = [one.rung for one in self.wanted] + [fit.rung for fit in self.fits if not fit.has_ended]
        return self.budgets.is_timed and FINAL in finals

    def shrink_bracket(self) -> None:
        """Take a place from the open bracket that no configuration was found for; with none left, exploring ends."""
        assert self.start_number is not None
        sizes = list(self.study.user_attrs[SIZES])
        sizes[-1] -= 1
        self.study.set_user_attr(SIZES, sizes)
        self.forget()
        if sizes[-1] == 0:
            standing = self._standing(self.start_number)
            self._end_exploring(standing, "no other configuration is left that keeps the limits")

    def close(self) -> None:
        """Have the story end."""
        self.forget()
        start, explored = self.start_number, self._explored()
        if start is not None and explored is not None:
            winner = self._winner(start, self._standing(start).incumbent, _meeting(explored))
            self.story.close(self.rules, start, winner)

    def _next_fits(self) -> tuple[Wanted, ...]:
        start, ladder = self.start_number, self.budgets.ladder(self.fits)
        if start is None:
            rung = min(ladder, default=FINAL)
            return (Wanted(0, rung, ladder.get(rung), PRIOR, None, self.start),)
        missing = self._missing(ladder, [start])
        if missing is not None:
            return missing
        while (standing := self._standing(start)).is_over and self._explored() is None:
            self._open_bracket(standing)
        if not standing.is_over:
            return standing.wanted
        meeting = _meeting(self._explored())
        missing = self._missing(meeting, [standing.incumbent, start])
        return self._finals(self._winner(start, standing.incumbent, meeting)) if missing is None else missing

    def _rules(self, ladder: Ladder) -> Brackets:
        return Brackets(
            ladder, self.metric, self.fits, self.is_slow_starter, self.is_feasible, self.budgets.final_length,
            self._closed,
        )  # fmt: skip

    def _standing(self, start: int) -> Standing:
        return self.rules.standing(self.study.user_attrs.get(SIZES, []), start=start)

    def _missing(self, ladder: Ladder, configurations: list[int]) -> tuple[Wanted, ...] | None:
        """Return the fits that these configurations lack on the first rung; None where all have ended there."""
        if not ladder:
            return None
        rung, rules = min(ladder), self._rules(ladder)
        found = {one: rules.fit_of(one, rung) for one in dict.fromkeys(configurations)}
        if all(fit is not None and fit.has_ended for fit in found.values()):
            return None
        at_work = {fit.configuration for fit in self.fits if not fit.has_ended}
        lacking = [one for one, fit in found.items() if fit is None and one not in at_work]
        return tuple(Wanted(0, rung, ladder[rung], PROMOTION, one, rules.fit(one).params) for one in lacking)

    def _explored(self) -> dict[str, Any] | None:
        """Return how exploring ended; None while it goes on, and again where the limit was raised since."""
        explored: dict[str, Any] | None = self.study.user_attrs.get(EXPLORED)
        return explored if explored and explored["limit"] >= self.budgets.limit else None

    def _open_bracket(self, standing: Standing) -> None:
        size = self.budgets.next_bracket(standing, self.rules)
        if isinstance(size, str):
            self._end_exploring(standing, size)
            return
        sizes = [*self.study.user_attrs.get(SIZES, []), size]
        self.study.set_user_attr(SIZES, sizes)
        self.story.open(len(sizes), size, standing, self.rules)

    def _end_exploring(self, standing: Standing, reason: str) -> None:
        is_same = standing.incumbent == self.start_number
        meeting = {} if is_same else self.budgets.meeting(self.budgets.ladder(self.fits))
        self.study.set_user_attr(EXPLORED, {"limit": self.budgets.limit, "meeting": meeting})
        self.story.end_exploring(reason, standing, meeting)

    def _winner(self, start: int, incumbent: int, meeting: Ladder) -> int:
        """Return the incumbent, unless the first configuration beat it where they met once more."""
        if not meeting:
            return incumbent
        difference = self._rules(meeting).difference(start, incumbent, min(meeting))
        return start if difference is not None and difference.is_gain else incumbent

    def _finals(self, winner: int) -> tuple[Wanted, ...]:
        """Return the final trainings that are still to be started: of the winner, and of those who come next."""
        finals = [fit for fit in self.fits if fit.rung == FINAL]
        n_lacking = self.budgets.n_finals_lacking(finals, winner, self.n_finals)
        tried = {fit.configuration for fit in finals}
        candidates = [one for one in self._ranking(winner) if one not in tried or one == winner]
        return tuple(
            Wanted(0, FINAL, None, PROMOTION, one, {**self.rules.fit(one).params, **self.full})
            for one in candidates[:n_lacking]
        )

    def _ranking(self, winner: int) -> list[int]:
        """Return the configurations: the winner first, the others by their highest rung and the metric on it."""
        valued = [fit for fit in self.fits if fit.value is not None and fit.rung != FINAL]
        ranked = sorted(valued, key=lambda fit: (-fit.rung, self.metric.loss_of(fit.value or 0.0)))
        return list(dict.fromkeys([winner, *(fit.configuration for fit in ranked)]))


def _meeting(explored: Mapping[str, Any] | None) -> Ladder:
    """Return the rung on which incumbent and first configuration meet once more, where there is one."""
    return {int(rung): seconds for rung, seconds in (explored or {}).get("meeting", {}).items()}
