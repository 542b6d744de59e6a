"""An act of the doctor: what to do, and how to say so before and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """``do`` does it; ``verb`` is regular, ``what`` is the rest of the sentence, ``n_bytes`` of disk it frees."""

    verb: str
    what: str
    do: Callable[[], object]
    n_bytes: int = 0

    @property
    def wish(self) -> str:
        """The line that says what would be done."""
        return f"would {self.verb} {self._rest}"

    @property
    def deed(self) -> str:
        """The line that says what was done."""
        return f"{self.verb}{'d' if self.verb.endswith('e') else 'ed'} {self._rest}"

    @property
    def _rest(self) -> str:
        return f"{self.what} ({describe_bytes(self.n_bytes)})" if self.n_bytes else self.what


def describe_bytes(n_bytes: float) -> str:
    """Return a size for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"
