"""The report of the benchmark ``gpu``: table, figure and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean

from .device_facts import DeviceFacts
from .report import draw_bars, markdown_table, write_report
from .side_by_side import CPU

_MEAN = "geometric mean"


@dataclass(frozen=True)
class Cell:
    """A measurement: ``n`` trainings of a model side by side on a kind of device."""

    kind: str
    n: int
    model: str

    @property
    def device(self) -> str:
        """The device and the number of workers, in words."""
        return f"{self.kind}, {self.n} worker{'s' if self.n > 1 else ''}"

    def __str__(self) -> str:
        return f"{self.model} on {self.device}"


def make_table(speeds: dict[Cell, float]) -> str:
    """Return a table of all models and devices: images/s of all workers together, and how many times the CPU's."""
    rows = []
    for model in dict.fromkeys(cell.model for cell in speeds):
        base = speeds.get(Cell(CPU, 1, model))
        for cell, speed in speeds.items():
            if cell.model == model:
                rows.append((model, cell.device, f"{speed:,.0f}", "" if base is None else f"{speed / base:.2f}"))
    return markdown_table(("model", "device", "images/s", "/ CPU"), rows)


def describe_best(speeds: dict[Cell, float]) -> Iterator[str]:
    """Yield with how many workers a device is fastest: for each model, and over all by what all were measured with."""
    for kind in dict.fromkeys(cell.kind for cell in speeds):
        by_model: dict[str, dict[int, float]] = {}
        for cell, speed in speeds.items():
            if cell.kind == kind:
                by_model.setdefault(cell.model, {})[cell.n] = speed
        common = sorted(set.intersection(*(set(found) for found in by_model.values())))
        means = {n: geometric_mean([found[n] for found in by_model.values()]) for n in common}
        if len(means) > 1:
            best = {name: max(found, key=found.__getitem__) for name, found in [*by_model.items(), (_MEAN, means)]}
            yield f"Fastest number of workers per {kind}: {', '.join(f'{n} ({name})' for name, n in best.items())}."


def write_results(
    folder: Path, facts: list[DeviceFacts], speeds: dict[Cell, float], missing: Mapping[Cell, str]
) -> str:
    """Write table, figure and JSON; return the text, which ends with what is ``missing`` and why."""
    lines = [f"{fact} (TensorFlow {fact.tensorflow})" for fact in facts]
    gaps = [f"Not measured: {cell}: {reason}" for cell, reason in missing.items()]
    text = "\n\n".join([*lines, make_table(speeds), *describe_best(speeds), *gaps])
    groups: dict[str, dict[str, float]] = {}
    for cell, speed in speeds.items():
        groups.setdefault(cell.model, {})[cell.device] = speed
    write_report(folder, "gpu", text, draw_bars(groups, title="Training speed by device", unit="images/s"))
    found = [{**asdict(cell), "images_per_second": speed} for cell, speed in speeds.items()]
    devices = [asdict(fact) for fact in facts]
    (folder / "gpu.json").write_text(json.dumps({"devices": devices, "measured": found}, indent=1) + "\n")
    return text
