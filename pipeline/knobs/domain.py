"""A domain: the values that one knob may take in a search space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import optuna

from pipeline.knobs.table import KNOBS, Knob, KnobValue


@dataclass(frozen=True)
class Fixed:
    """A knob that the study does not turn."""

    value: KnobValue

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Return the fixed value; the trial is not asked."""
        return self.value

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies in the domain."""
        return value == self.value

    def points(self) -> list[KnobValue]:
        """Return the domain's values for a grid."""
        return [self.value]


@dataclass(frozen=True)
class Choices:
    """A knob with listed values."""

    values: tuple[KnobValue, ...]

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Ask the trial for one of the values."""
        value: Any = trial.suggest_categorical(name, self.values)
        return cast(KnobValue, value)

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies in the domain."""
        return value in self.values

    def points(self) -> list[KnobValue]:
        """Return the domain's values for a grid."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both included; ``log`` spreads it over magnitudes."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Ask the trial for a number of the range."""
        if KNOBS[name].kind == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(name, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies in the domain (bounds alone; Optuna rounds to the step)."""
        return not isinstance(value, str) and self.low <= value <= self.high

    def points(self) -> list[KnobValue] | None:
        """Return the domain's values for a grid, or None where a float range has no step."""
        if self.step is None:
            return None
        n_steps = int((self.high - self.low) / self.step + 1e-9)
        return [self.low + index * self.step for index in range(n_steps + 1)]


Domain = Fixed | Choices | Range


def grid_points(knob: Knob, domain: Domain) -> list[KnobValue] | None:
    """Return the values of ``domain`` for a grid search in the knob's type, or None where there is no end of them."""
    if isinstance(domain, Range) and domain.step is None and knob.kind == "int":
        domain = Range(domain.low, domain.high, step=1)
    points = domain.points()
    return None if points is None else [knob.cast(point) for point in points]
