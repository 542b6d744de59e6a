"""The search in brackets as a strategy: it starts what is on the agenda, stops the hopeless, and keeps the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from pipeline.study import fits as attributes
from pipeline.study.agenda import Agenda
from pipeline.study.brackets import Wanted
from pipeline.study.challengers import Challengers
from pipeline.study.fits import FINAL, PROMOTION, Curve, Fit, rung_name
from pipeline.study.rung_pruning import RungPruning
from pipeline.study.strategy import Proposal
from pipeline.tracking import names
from pipeline.training.budget import Budget
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric
from pipeline.workers.events import Ended, EpochEnd, Report
from pipeline.workers.job import Job


@dataclass(eq=False)
class BracketSearch:
    """The strategy of brackets within a budget of time or trials; ``make_pruning`` judges those of one rung."""

    metric: Metric
    agenda: Agenda
    challengers: Challengers
    make_pruning: Callable[[list[Fit]], RungPruning]
    n_folds: int = 1
    _prunings: dict[tuple[int, float | None], RungPruning] = field(default_factory=dict)
    _curves: dict[int, Curve] = field(default_factory=dict)

    grace_seconds = 15.0  # for a final training whose last figures took longer than expected

    def n_left(self, n_running: int) -> int:
        """Return how many fits may be started now; none where those at work decide what follows."""
        return max(0, min(len(self.agenda.wanted), self.agenda.budgets.n_left(self.agenda.fits)))

    def most_workers(self) -> int | None:
        """Give the final trainings the whole machine."""
        return self.agenda.n_finals if self.agenda.is_final else None

    def propose(self) -> Proposal | None:
        """Return the next fit as a trial: its rung, and where its configuration comes from, are attributes."""
        while self.n_left(0):
            fit = self._with_params(self.agenda.wanted[0])
            if fit is not None:
                budget = self.agenda.budgets.budget(fit.rung, fit.resource, self.agenda.fits)
                self.agenda.story.begin(fit, self.agenda.fits, budget)
                return Proposal(fit.params, self._attributes(fit, budget))
            self.agenda.shrink_bracket()
        return None

    def budget(self, trial: FrozenTrial) -> Budget:
        """Return what the trial's rung allows; the final training has what is left of the time."""
        self._forget()  # the trial has started
        known = trial.user_attrs
        return self.agenda.budgets.budget(known[attributes.RUNG], known[attributes.RESOURCE], self.agenda.fits)

    def tags(self, trial: FrozenTrial) -> Mapping[str, str]:
        """Return rung, budget and origin of the trial's configuration as tags of its run."""
        known = trial.user_attrs
        tags = {names.RUNG: rung_name(known[attributes.RUNG]), names.ORIGIN: known[attributes.ORIGIN]}
        if known[attributes.PARENT] is not None:
            tags[names.PARENT_TRIAL] = str(known[attributes.PARENT])
        if known[attributes.RESOURCE] is not None:
            tags[self.agenda.budgets.tag] = f"{known[attributes.RESOURCE]:g}"
        return tags

    def judge(self, trial: optuna.Trial, job: Job, report: Report) -> Ending | None:
        """Stop a challenger that has no chance left on its rung.

        Incumbents, slow starters that are mutations of them, and final trainings go on to their ends.
        """
        if isinstance(report, EpochEnd) != (self.n_folds == 1):
            return None
        if isinstance(report, EpochEnd):
            share, value = report.epoch.share, self.metric.of(report.epoch)
        else:
            share, value = report.fold / self.n_folds, self.metric.of(report.best)
        known_points = self._curves.get(trial.number, [])  # where its worker died, some come again
        curve = [point for point in known_points if point[0] < share]
        self._curves[trial.number] = curve
        best = value if not curve or self.metric.is_better(value, curve[-1][1]) else curve[-1][1]
        curve.append((share, best))
        known = trial.user_attrs
        if not self._is_challenge(known) or self._may_catch_up(trial.number):
            return None
        if not self._pruning(known).is_hopeless(trial.number, curve):
            return None
        rung = rung_name(known[attributes.RUNG])
        detail = f"{self.metric.name} {best:.4f} after {100 * share:.0f} % of its schedule cannot reach the best"
        return Ending(Cause.PRUNED, f"{detail} of rung {rung}")

    def conclude(self, trial: optuna.Trial, ended: Ended) -> Ended:
        """Keep the fit's figures with the trial; a challenger that did worse than the incumbent is pruned."""
        incumbent = self.agenda.incumbent
        for name, value in self._results(trial, ended).items():
            trial.set_user_attr(name, value)
        if ended.best is not None:
            trial.report(self.metric.of(ended.best), step=trial.user_attrs[attributes.RUNG])
        self._forget()
        fit = self.agenda.rules.fit(trial.number)
        reason = None if incumbent is None or not ended.ending.is_finish else self._defeat(fit, incumbent.number)
        self._forget()  # Optuna is told of the end only now
        return ended if reason is None else replace(ended, ending=Ending(Cause.PRUNED, reason))

    def close(self) -> None:
        """Say what the search brought."""
        self.agenda.close()

    def _forget(self) -> None:
        self.agenda.forget()
        self._prunings.clear()

    def _with_params(self, wanted: Wanted) -> Wanted | None:
        """Return a fit with its configuration; None where no challenger was found."""
        if wanted.params is not None:
            return wanted
        assert self.agenda.incumbent is not None
        return self.challengers.make(wanted, self.agenda.fits, self.agenda.incumbent)

    def _attributes(self, fit: Wanted, budget: Budget) -> dict[str, object]:
        resource = fit.resource
        if resource is None and budget.seconds is not None:  # of the final training: what is left of the time
            resource = budget.seconds * self.n_folds
        return {
            attributes.BRACKET: fit.bracket, attributes.RUNG: fit.rung, attributes.ORIGIN: fit.origin,
            attributes.PARENT: fit.parent, attributes.LIMIT: self.agenda.budgets.limit,
            attributes.RESOURCE: resource,
        }  # fmt: skip

    def _is_challenge(self, known: Mapping[str, Any]) -> bool:
        """Tell whether a fit is a challenger's in a bracket: others are never stopped."""
        incumbent = self.agenda.incumbent
        is_own = incumbent is not None and known[attributes.PARENT] == incumbent.number
        is_incumbent = is_own and known[attributes.ORIGIN] == PROMOTION
        return known[attributes.RUNG] != FINAL and known[attributes.BRACKET] > 0 and not is_incumbent

    def _may_catch_up(self, number: int) -> bool:
        incumbent, rules = self.agenda.incumbent, self.agenda.rules
        return incumbent is not None and rules.may_catch_up(rules.fit(number).configuration, incumbent.number)

    def _pruning(self, known: Mapping[str, Any]) -> RungPruning:
        place = known[attributes.RUNG], known[attributes.RESOURCE]
        if place not in self._prunings:
            survivors = [fit for fit in self.agenda.fits if (fit.rung, fit.resource) == place]
            self._prunings[place] = self.make_pruning([fit for fit in survivors if fit.has_finished_schedule])
        return self._prunings[place]

    def _results(self, trial: optuna.Trial, ended: Ended) -> dict[str, object]:
        results: dict[str, object] = {
            attributes.SECONDS: ended.seconds, attributes.FIGURES: dict(ended.figures),
            attributes.CURVE: self._curves.pop(trial.number, []),
            attributes.RESOURCE: self.agenda.budgets.settle(trial.user_attrs, ended),
        }  # fmt: skip
        if ended.best is not None:
            results[attributes.VALUE] = self.metric.of(ended.best)
        if ended.ending.is_finish:
            results[attributes.SCORES] = ended.scores
        return results

    def _defeat(self, fit: Fit, incumbent: int) -> str | None:
        """Return how a challenger lost its rung to the incumbent; None where it did not, and of a final training."""
        if fit.rung == FINAL or fit.configuration == incumbent:
            return None
        rules = self.agenda.rules
        if fit.rung < max(rules.ladder, default=fit.rung) and rules.may_catch_up(fit.configuration, incumbent):
            return None
        difference = rules.outlook(fit.configuration, incumbent, fit.rung)
        if difference is None or difference.mean >= 0:
            return None
        return f"lost rung {rung_name(fit.rung)} to trial {incumbent}: {difference}"
