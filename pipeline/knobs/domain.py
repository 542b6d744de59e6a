"""A domain: the values that one knob may take in a search space."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
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

    @property
    def top(self) -> float:
        """The greatest value that can be reached: ``high``, or the last step below it."""
        return self.high if self.step is None else self._at(self._n_steps)

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Ask the trial for a number of the range."""
        if KNOBS[name].kind == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(name, int(self.low), int(self.top), step=step, log=self.log)
        return trial.suggest_float(name, self.low, self.top, step=self.step, log=self.log)

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies between the bounds, and on a step where there are steps."""
        if isinstance(value, str) or not self.low <= value <= self.high:
            return False
        return self.step is None or (_decimal(value) - _decimal(self.low)) % _decimal(self.step) == 0

    def points(self) -> list[KnobValue] | None:
        """Return the domain's values for a grid, or None where a float range has no step."""
        if self.step is None:
            return None
        return [self._at(index) for index in range(self._n_steps + 1)]

    @property
    def _n_steps(self) -> int:
        return int((_decimal(self.high) - _decimal(self.low)) // _decimal(self.step or 1))

    def _at(self, index: int) -> float:
        return float(_decimal(self.low) + index * _decimal(self.step or 1))


def _decimal(value: float) -> Decimal:
    """Return the number as it is written: binary fractions would put 0.3 beyond three steps of 0.1."""
    return Decimal(str(value))


Domain = Fixed | Choices | Range


def grid_points(knob: Knob, domain: Domain) -> list[KnobValue] | None:
    """Return the values of ``domain`` for a grid search in the knob's type, or None where there is no end of them."""
    if isinstance(domain, Range) and domain.step is None and knob.kind == "int":
        domain = Range(domain.low, domain.high, step=1)
    points = domain.points()
    return None if points is None else [knob.cast(point) for point in points]
