"""A study bounded by time: rungs of equal seconds, and the rest of the time for the final training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import optuna

from pipeline.study.brackets import Brackets, Ladder, Standing
from pipeline.study.fits import FINAL, FINISHED, RESOURCE, RUNG, Fit
from pipeline.study.forecast import Errors
from pipeline.study.time_limit import TimeLimit
from pipeline.study.trial_budget import REDUCTION, most_challengers
from pipeline.tracking import names
from pipeline.training.budget import Budget
from pipeline.workers.events import Ended

RUNG_SECONDS = "rung_seconds"  # an attribute of the study
HOUR, HALF_AN_HOUR = 3600.0, 1800.0
_LEAST_STEPS, _LEAST_EPOCHS = 200, 4  # of the incumbent on the lowest rung: shorter ones rank by chance
_LEAST_SHARE = 0.01  # of the time, for the lowest rung
_EXPLORING_SHARE, _LONG_EXPLORING_SHARE = 0.4, 0.5  # up to an hour, and above
_MOST_CHALLENGERS, _MANY_CHALLENGERS, _LEAST_CHALLENGERS = 4, 8, 2
_GUESSED_OVERHEAD_SECONDS = 5.0
_CLOSING_SECONDS = 2.0  # of the command, after its last training
_MARGIN = 1.2  # on estimated seconds
_GUESSED_GAIN = 0.05  # of the error, by a bracket, before anything is known
_BRACKETS_WITHOUT_GAIN = 2
_MEETING_SHARE, _LEAST_LONGER = 0.1, 1.5  # of the time left, for each of two; and so many times the rung before


@dataclass(frozen=True, eq=False)
class TimeBudget:
    """The time of a study: how long rungs are, when exploring ends, what the final training has.

    ``n_images`` are trained on, in the first incumbent's batches of ``batch_size``; ``most_epochs`` are those of the
    longest training that the space allows; ``n_workers`` run the fits of a rung side by side. A fit on several folds
    shares its seconds among them.
    """

    study: optuna.Study
    time: TimeLimit
    n_images: int
    n_folds: int
    batch_size: int
    most_epochs: int
    most_trials: int
    n_workers: int

    is_timed = True
    tag = names.BUDGET_SECONDS

    @property
    def limit(self) -> float:
        """The seconds that a longer limit extends a study beyond."""
        return self.time.seconds or 0.0

    @property
    def rung_seconds(self) -> float | None:
        """Seconds of the lowest rung; None as long as they are not known."""
        return self.study.user_attrs.get(RUNG_SECONDS)

    def ladder(self, fits: Sequence[Fit]) -> Ladder:
        """Return the rungs: equal seconds, and four times as many; none where the time is too short for a bracket."""
        seconds = self.rung_seconds
        if seconds is None:
            seconds = self._most_rung_seconds(fits)
            seconds = seconds if seconds >= _LEAST_SHARE * self.limit else 0.0
        if seconds == 0:
            return {}
        return {rung: round(seconds * REDUCTION**rung, 2) for rung in (0, 1)}

    def final_length(self, limit: float) -> float:
        """Return the seconds of the final training of a search with this limit, if exploring takes its whole share."""
        return (1 - _exploring_share(limit)) * limit

    def budget(self, rung: int, resource: float | None, fits: Sequence[Fit]) -> Budget:
        """Return what a fit with so many seconds may use; the final training has what is left now.

        The very first fit ends with the epochs that a rung needs.
        """
        if rung == FINAL or resource is None:
            resource = max(1.0, self.time.left - self.overhead_seconds(fits) - _CLOSING_SECONDS)
        epochs = self._first_epochs if rung == 0 and self.rung_seconds is None else None
        return Budget(seconds=round(resource / self.n_folds, 2), epochs=epochs, from_now=rung == FINAL)

    def settle(self, known: Mapping[str, Any], ended: Ended) -> float | None:
        """Return the seconds of a fit that has ended, by the attributes of its trial.

        The first fit says how long the lowest rung is: as long as it took, but a hundredth of the time at least. Where
        it made too few steps within all that the time allows, there are no rungs: none would rank anything.
        """
        given: float | None = known[RESOURCE]
        if self.rung_seconds is not None or known[RUNG] != 0 or given is None:
            return given
        taken, n_images = given, math.inf
        if ended.ending.is_finish:
            taken = min(given, round(ended.figures["train_seconds"], 2))
            n_images = ended.figures["train_seconds"] * ended.figures["images_per_second"]
        is_enough = n_images >= _LEAST_STEPS / 2 * self.batch_size
        seconds = max(taken, round(_LEAST_SHARE * self.limit, 2)) if is_enough else 0.0
        self.study.set_user_attr(RUNG_SECONDS, seconds)
        return taken

    def n_finals_lacking(self, finals: Sequence[Fit], winner: int, n_finals: int) -> int:
        """Return how many final trainings are to be started: those before the limit was raised do not count."""
        recent = [fit for fit in finals if fit.limit >= self.limit]
        return max(0, n_finals - sum(not fit.has_ended or fit.value is not None for fit in recent))

    def overhead_seconds(self, fits: Sequence[Fit]) -> float:
        """Return the seconds that a fit takes beyond those of its training, by the longest so far."""
        return max((fit.overhead_seconds for fit in fits if fit.has_ended), default=_GUESSED_OVERHEAD_SECONDS)

    def n_left(self, fits: Sequence[Fit]) -> int:
        """Return how many fits may still be started, as long as there is time."""
        n_taken = sum(fit.state in FINISHED or not fit.has_ended for fit in fits)
        return self.most_trials - n_taken if self.time.left > 0 else 0

    def next_bracket(self, standing: Standing, rules: Brackets) -> int | str:
        """Return how many challengers the next bracket has, or why exploring ends."""
        fits = rules.fits
        if not rules.ladder:
            return "the time is too short for rungs that tell configurations apart"
        most = most_challengers(
            _MOST_CHALLENGERS if self.limit <= HALF_AN_HOUR else _MANY_CHALLENGERS,
            n_left=self.n_left(fits) - 1, n_long=1 + (rules.fit_of(standing.incumbent, 1) is None),
        )  # fmt: skip
        if most < _LEAST_CHALLENGERS:
            return "the trials are used up"
        costs = {size: self._bracket_seconds(standing, rules, size) for size in range(most, _LEAST_CHALLENGERS - 1, -1)}
        spare = self._spare_seconds(fits)
        if self.time.spent + costs[most] <= spare:
            return most
        reason = self._does_not_pay(standing, rules)
        if reason is not None:
            return reason
        exploring = max(_exploring_share(self.limit) * self.limit, spare)
        fitting = [size for size, cost in costs.items() if self.time.spent + cost <= exploring]
        return fitting[0] if fitting else f"another bracket would go beyond the {exploring:.0f} s for exploring"

    def meeting(self, ladder: Ladder) -> Ladder:
        """Return the longer rung on which incumbent and first configuration meet once more, above an hour."""
        if self.limit <= HOUR or not ladder:
            return {}
        longest = max(seconds or 0.0 for seconds in ladder.values())
        seconds = round(min(REDUCTION * longest, _MEETING_SHARE * self.time.left), 2)
        return {2: seconds} if seconds > _LEAST_LONGER * longest else {}

    @property
    def _first_epochs(self) -> int:
        return max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS * self.batch_size / self.n_images))

    def _most_rung_seconds(self, fits: Sequence[Fit]) -> float:
        """Return the longest lowest rung with which a first bracket is still affordable."""
        size = _MOST_CHALLENGERS
        n_short = 1 + math.ceil(size / self.n_workers)
        n_long = math.ceil(2 / self.n_workers)
        free = (
            _exploring_share(self.limit) * self.limit
            - self.time.spent
            - (n_short + n_long) * self.overhead_seconds(fits)
        )
        return round(free / _MARGIN / (n_short + REDUCTION * n_long), 2)

    def _spare_seconds(self, fits: Sequence[Fit]) -> float:
        """Return the seconds from the start that even the longest final training leaves to spare."""
        paces = [fit.seconds_per_image for fit in fits if fit.seconds_per_image is not None]
        if not paces:
            return 0.0
        return self.limit - _MARGIN * max(paces) * self.n_images * self.most_epochs - 2 * self.overhead_seconds(fits)

    def _bracket_seconds(self, standing: Standing, rules: Brackets, size: int) -> float:
        """Return the seconds of a bracket, where one challenger of four goes on."""
        short, long = (float(seconds or 0.0) for seconds in rules.ladder.values())
        overheads = [fit.overhead_seconds for fit in rules.fits if fit.has_ended]
        overhead = median(overheads) if overheads else _GUESSED_OVERHEAD_SECONDS
        n_long = max(1, size // _MOST_CHALLENGERS) + (rules.fit_of(standing.incumbent, 1) is None)
        return (
            math.ceil(size / self.n_workers) * (short + overhead)
            + math.ceil(n_long / self.n_workers) * (long + overhead)
        )  # fmt: skip

    def _does_not_pay(self, standing: Standing, rules: Brackets) -> str | None:
        """Return why another bracket would cost the final training more than it can be expected to gain."""
        closed = standing.closed
        if len(closed) >= _BRACKETS_WITHOUT_GAIN and not any(one.is_gain for one in closed[-_BRACKETS_WITHOUT_GAIN:]):
            return f"{_BRACKETS_WITHOUT_GAIN} brackets in a row brought no gain"
        ends = {rung: errors for rung in rules.ladder if (errors := rules.errors(standing.incumbent, rung)) is not None}
        if not closed or not ends:
            return None
        cost = self._bracket_seconds(standing, rules, _MOST_CHALLENGERS)
        loss = self._loss(cost, ends[max(ends)], float(rules.ladder[max(ends)] or 1.0))
        gains = [one.difference.mean if one.is_gain and one.difference else 0.0 for one in closed]
        gain = (sum(gains) / ends[max(ends)].after(1.0) + _GUESSED_GAIN) / (len(gains) + 1)
        if gain >= loss:
            return None
        return (
            f"another bracket can be expected to lower the error by {100 * gain:.1f} %, "
            f"its time in the final training by {100 * loss:.1f} %"
        )

    def _loss(self, cost: float, errors: Errors, rung_seconds: float) -> float:
        """Return by what share the error of the final training will be higher, if so many seconds are taken from it."""
        rest = max(self.time.left, cost + 1.0)
        return errors.after((rest - cost) / rung_seconds) / errors.after(rest / rung_seconds) - 1


def _exploring_share(limit: float) -> float:
    return _EXPLORING_SHARE if limit <= HOUR else _LONG_EXPLORING_SHARE
