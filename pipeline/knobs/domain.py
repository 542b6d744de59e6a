"""A domain: the values that one knob may take in a search space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

import optuna

from pipeline.knobs.table import KNOBS, KnobValue


@dataclass(frozen=True)
class Choices:
    """Listed values; where there is only one, the knob is fixed and the trial is not asked."""

    values: tuple[KnobValue, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to search."""
        return len(self.values) == 1

    @property
    def greatest(self) -> float:
        """The greatest of the values, which are numbers."""
        return max(float(value) for value in self.values)

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Ask the trial for one of the values, unless there is only one."""
        value: Any = self.values[0] if self.is_fixed else trial.suggest_categorical(name, self.values)
        return cast(KnobValue, value)

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies in the domain."""
        return value in self.values

    def points(self, name: str) -> list[KnobValue] | None:
        """Return the values for a grid."""
        return list(self.values)

    def at_most(self, limit: int) -> Domain:
        """Return the domain with larger values reduced to ``limit``."""
        return Choices(tuple(dict.fromkeys(min(int(value), limit) for value in self.values)))

    def __str__(self) -> str:
        """Return the values as messages name them."""
        return f"the fixed value {self.values[0]!r}" if self.is_fixed else f"one of {list(self.values)}"


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included; ``log`` samples on a logarithmic scale."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    is_fixed = False

    @property
    def greatest(self) -> float:
        """The greatest value that can be drawn: ``high``, or the last step below it."""
        return self.high if self.step is None else self._steps(self.step)[-1]

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> KnobValue:
        """Ask the trial for a number of the range."""
        if KNOBS[name].kind == "int":
            return trial.suggest_int(name, int(self.low), int(self.greatest), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.greatest, step=self.step, log=self.log)

    def holds(self, value: KnobValue) -> bool:
        """Tell whether ``value`` lies between the bounds, and on a step where there are steps."""
        if isinstance(value, str) or not self.low <= value <= self.high:
            return False
        return self.step is None or (_decimal(value) - _decimal(self.low)) % _decimal(self.step) == 0

    def points(self, name: str) -> list[KnobValue] | None:
        """Return the values for a grid in the type of the knob ``name``, or None for floats without a step."""
        knob = KNOBS[name]
        step = self.step or (1 if knob.kind == "int" else None)
        return None if step is None else [knob.cast(value) for value in self._steps(step)]

    def at_most(self, limit: int) -> Domain:
        """Return the domain without the values above ``limit``, which alone is left where all are above it."""
        return fixed(limit) if limit <= self.low else replace(self, high=min(self.high, limit))

    def _steps(self, step: float) -> list[float]:
        low, high, distance = _decimal(self.low), _decimal(self.high), _decimal(step)
        return [float(low + index * distance) for index in range(int((high - low) // distance) + 1)]

    def __str__(self) -> str:
        """Return the bounds as messages name them."""
        return f"{self.low:g} to {self.high:g}" + (f" in steps of {self.step:g}" if self.step else "")


Domain = Choices | Range


def fixed(value: KnobValue) -> Choices:
    """Return the domain of a knob that is not searched."""
    return Choices((value,))


def _decimal(value: float) -> Decimal:
    """Return the number as it is written: in binary fractions, three steps of 0.1 would not reach 0.3."""
    return Decimal(str(value))
