"""Which values are allowed: numbers between two bounds, true or false, or one of some names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Values:
    """The values that a knob, or an argument of a layer, may take.

    ``low`` and ``high`` bound numbers, both included; ``choices`` are those of the kind ``name``. With ``axes``, a list
    of that many values is allowed too: one for each axis of the image.
    """

    kind: Literal["int", "float", "bool", "name"]
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    axes: int = 0

    def problem(self, value: object) -> str | None:
        """Return the rule that a single ``value`` breaks, or None where it is allowed."""
        if self.kind == "bool":
            return None if isinstance(value, bool) else "must be true or false"
        if self.kind == "name":
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        if self.kind == "int" and isinstance(value, float) and not value.is_integer():
            return "must be a whole number"
        if not self.low <= value <= self.high:
            return f"must lie between {self.low:g} and {self.high:g}"
        return None

    def cast(self, value: Any) -> Any:
        """Return an allowed value in its own Python type."""
        if self.kind == "int":
            return int(value)
        return float(value) if self.kind == "float" else value
