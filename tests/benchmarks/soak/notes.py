"""What the workers of a soak have noted: the epochs that each has trained, and what it is at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """A line of a worker's notes."""

    process: int
    kind: str
    trial: int
    fold: int
    epoch: int


@dataclass(frozen=True)
class Notes:
    """The notes of all workers, in the order in which they were made."""

    path: Path

    def read(self) -> list[Note]:
        """Return all notes so far."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        rows = (line.split() for line in lines)
        return [Note(int(one[0]), one[1], *map(int, one[2:])) for one in rows]

    def n_epochs(self) -> int:
        """Return how many epochs were trained, those that were trained again included."""
        return sum(note.kind == "EpochEnd" for note in self.read())

    def redone(self) -> list[tuple[int, int]]:
        """Return trial and epoch of each epoch that was trained again, once for each time."""
        seen: set[tuple[int, int, int]] = set()
        found = []
        for note in self.read():
            epoch = (note.trial, note.fold, note.epoch)
            if note.kind == "EpochEnd" and epoch in seen:
                found.append((note.trial, note.epoch))
            seen |= {epoch} if note.kind == "EpochEnd" else set()
        return found

    def trial_of(self, process: int) -> int | None:
        """Return the trial that a worker is at; None where it is at none."""
        own = [note for note in self.read() if note.process == process]
        return own[-1].trial if own and own[-1].kind != "Ended" else None
