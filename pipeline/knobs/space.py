"""The search space: the domain of each knob, and the configurations to try first."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace

import optuna

from pipeline.errors import SpaceError
from pipeline.knobs.domain import Choices, Domain, fixed
from pipeline.knobs.prior import Prior
from pipeline.knobs.table import KNOBS, Knobs, KnobValue, complete

MAX_GRID_POINTS = 100_000


@dataclass(frozen=True)
class SearchSpace:
    """What a study searches: ``domains`` by knob name, and ``first_trials`` that it tries before anything else.

    ``priors`` are those that the space states, by knob name; ``prior`` completes them from the first trial.
    """

    source: str
    domains: dict[str, Domain]
    first_trials: tuple[Knobs, ...] = ()
    priors: dict[str, Prior] = field(default_factory=dict)

    @property
    def searched(self) -> dict[str, Domain]:
        """The domains of the knobs that are not fixed."""
        return {name: domain for name, domain in self.domains.items() if not domain.is_fixed}

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial can train."""
        return self.greatest("epochs")

    def domain(self, name: str) -> Domain:
        """Return the domain of a knob; one that the space does not name is fixed at its default."""
        return self.domains.get(name, fixed(KNOBS[name].default))

    def prior(self, name: str) -> Prior | None:
        """Return what is known of a searched knob, as the space states it, or around its value in the first trial.

        None where there is neither; the centre of what is returned is never None.
        """
        stated = self.priors.get(name, Prior())
        if stated.center is not None:
            return stated
        center = self.first_trials[0].get(name) if self.first_trials else None
        return None if center is None else replace(stated, center=center)

    def values(self, name: str) -> tuple[KnobValue, ...]:
        """Return the values that a categorical knob can have."""
        return tuple(self.domain(name).points(name) or ())

    def greatest(self, name: str) -> int:
        """Return the greatest value that an integer knob can have."""
        return int(self.domain(name).greatest)

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that identify the domains; a knob fixed at its default counts as one left out."""
        told = {name: _told(domain) for name, domain in self.domains.items() if domain != fixed(KNOBS[name].default)}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]

    def suggest(self, trial: optuna.trial.BaseTrial) -> Knobs:
        """Return all knobs for ``trial``: every trial is asked for every searched knob (a static space)."""
        return complete({name: domain.suggest(trial, name) for name, domain in self.domains.items()})

    def distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """Return what a trial is asked for, as Optuna has it."""
        within = {name: points[0] if (points := domain.points(name)) else domain.greatest
                  for name, domain in self.searched.items()}  # fmt: skip
        trial = optuna.trial.FixedTrial(within)
        self.suggest(trial)
        return dict(trial.distributions)

    def knobs_of(self, params: Knobs) -> Knobs:
        """Return all knobs of a configuration that is given by its searched knobs alone."""
        only = {name: domain.values[0] for name, domain in self.domains.items() if isinstance(domain, Choices)}
        return complete({**only, **params})

    def first_params(self) -> list[Knobs]:
        """Return the first trials as Optuna's parameters: their searched knobs alone."""
        return [{name: value for name, value in knobs.items() if name in self.searched} for knobs in self.first_trials]

    def grid(self) -> dict[str, list[KnobValue]]:
        """Return the values of each searched knob for a grid.

        Raises:
            SpaceError: a float knob has a range without a step, or the grid has too many points.
        """
        points = {name: domain.points(name) for name, domain in self.searched.items()}
        grid = {name: values for name, values in points.items() if values is not None}
        if endless := [name for name in points if name not in grid]:
            raise SpaceError(
                f"{self.source}: sampler grid needs a 'step' or 'choices' for every knob, but {', '.join(endless)} "
                "has a range without step; add one, or use another sampler"
            )
        n_points = math.prod(len(values) for values in grid.values())
        if n_points > MAX_GRID_POINTS:
            raise SpaceError(
                f"{self.source}: a grid may have at most {MAX_GRID_POINTS:,} points, got {n_points:,}; fix some knobs, "
                "or use another sampler"
            )
        return grid

    def with_fixed(self, name: str, value: KnobValue) -> SearchSpace:
        """Return the space with a knob fixed at ``value``."""
        first = tuple({**knobs, name: value} for knobs in self.first_trials)
        return replace(self, domains={**self.domains, name: fixed(value)}, first_trials=first)

    def without(self, name: str, value: KnobValue) -> SearchSpace:
        """Return the space without one of the choices of a knob, and without the first trials that have it."""
        left = tuple(choice for choice in self.values(name) if choice != value)
        first = tuple(knobs for knobs in self.first_trials if knobs.get(name) != value)
        priors = {knob: prior for knob, prior in self.priors.items() if (knob, prior.center) != (name, value)}
        return replace(self, domains={**self.domains, name: Choices(left)}, first_trials=first, priors=priors)

    def with_epochs_at_most(self, epochs: int | None) -> SearchSpace:
        """Return the space with no trial longer than ``epochs``; None leaves it as it is."""
        if epochs is None:
            return self
        domain = self.domain("epochs").at_most(epochs)
        most = int(domain.greatest)
        first = tuple({**knobs, "epochs": min(int(knobs["epochs"]), most)} if "epochs" in knobs else knobs
                      for knobs in self.first_trials)  # fmt: skip
        priors = {name: prior.at_most(most) if name == "epochs" else prior for name, prior in self.priors.items()}
        return replace(self, domains={**self.domains, "epochs": domain}, first_trials=first, priors=priors)


def _told(domain: Domain) -> list[object]:
    """Return a domain as fingerprints have it, which recorded studies hold."""
    if isinstance(domain, Choices) and domain.is_fixed:
        return ["Fixed", {"value": domain.values[0]}]
    return [type(domain).__name__, asdict(domain)]
