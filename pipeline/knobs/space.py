"""The search space: a domain a knob, and the configurations to try first."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace

import optuna

from pipeline.errors import SpaceError
from pipeline.knobs.domain import Choices, Domain, Fixed, Range, grid_points
from pipeline.knobs.table import KNOBS, Knobs, KnobValue, complete

MAX_GRID_POINTS = 100_000


@dataclass(frozen=True)
class SearchSpace:
    """What a study searches: ``domains`` by knob name, and ``first_trials`` that it tries before anything else."""

    source: str
    domains: dict[str, Domain]
    first_trials: tuple[Knobs, ...] = ()

    @property
    def searched(self) -> dict[str, Domain]:
        """The domains that the study turns."""
        return {name: domain for name, domain in self.domains.items() if not isinstance(domain, Fixed)}

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial can train."""
        return self.greatest("epochs")

    def domain(self, name: str) -> Domain:
        """Return the domain of a knob; one that the space does not name has its default."""
        return self.domains.get(name, Fixed(KNOBS[name].default))

    def values(self, name: str) -> tuple[KnobValue, ...]:
        """Return the values that a knob of names can have."""
        return tuple(self.domain(name).points() or ())

    def greatest(self, name: str) -> int:
        """Return the greatest value that a knob of whole numbers can have."""
        domain = self.domain(name)
        if isinstance(domain, Range):
            return int(domain.top)
        return max(int(value) for value in domain.points())

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that change with any domain; a knob fixed at its default might as well be left out."""
        unlike_default = {name: domain for name, domain in self.domains.items() if domain != Fixed(KNOBS[name].default)}
        domains = {name: [type(domain).__name__, asdict(domain)] for name, domain in unlike_default.items()}
        return hashlib.sha256(json.dumps(domains, sort_keys=True).encode()).hexdigest()[:10]

    def suggest(self, trial: optuna.trial.BaseTrial) -> Knobs:
        """Return all knobs for ``trial``: every searched knob is asked for in every trial (a static space)."""
        asked = {name: domain.suggest(trial, name) for name, domain in self.domains.items()}
        return complete(asked)

    def first_params(self) -> list[Knobs]:
        """Return the first trials as Optuna's parameters: their searched knobs alone."""
        return [{name: value for name, value in knobs.items() if name in self.searched} for knobs in self.first_trials]

    def grid(self) -> dict[str, list[KnobValue]]:
        """Return the values of each searched knob for a grid.

        Raises:
            SpaceError: a float knob has a range without a step, or the grid is too large to go through.
        """
        points = {name: grid_points(KNOBS[name], domain) for name, domain in self.searched.items()}
        endless = [name for name, values in points.items() if values is None]
        if endless:
            raise SpaceError(
                f"{self.source}: sampler grid needs a 'step' or 'choices' for every knob, but {', '.join(endless)} "
                "has a range without step; add one, or use another sampler"
            )
        grid = {name: values for name, values in points.items() if values is not None}
        n_points = math.prod(len(values) for values in grid.values())
        if n_points > MAX_GRID_POINTS:
            raise SpaceError(
                f"{self.source}: a grid may have at most {MAX_GRID_POINTS:,} points, got {n_points:,}; fix some knobs, "
                "or use another sampler"
            )
        return grid

    def with_fixed(self, name: str, value: KnobValue) -> SearchSpace:
        """Return the space with a knob that is not searched any more."""
        first = tuple({**knobs, name: value} for knobs in self.first_trials)
        return replace(self, domains={**self.domains, name: Fixed(value)}, first_trials=first)

    def with_epochs_at_most(self, epochs: int | None) -> SearchSpace:
        """Return the space with no trial longer than ``epochs``; None leaves it as it is."""
        if epochs is None:
            return self
        domain = self.domain("epochs")
        capped = replace(self, domains={**self.domains, "epochs": _capped(domain, epochs)})
        most = capped.max_epochs
        first = tuple({**knobs, "epochs": min(int(knobs["epochs"]), most)} if "epochs" in knobs else knobs
                      for knobs in self.first_trials)  # fmt: skip
        return replace(capped, first_trials=first)


def _capped(domain: Domain, limit: int) -> Domain:
    if isinstance(domain, Fixed):
        return Fixed(min(int(domain.value), limit))
    if isinstance(domain, Choices):
        values = tuple(dict.fromkeys(min(int(value), limit) for value in domain.values))
        return Fixed(values[0]) if len(values) == 1 else Choices(values)
    if limit <= domain.low:
        return Fixed(limit)
    return replace(domain, high=min(domain.high, limit))
