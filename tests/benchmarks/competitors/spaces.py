"""The search spaces of the competitors: the documents' knobs, our prior within them, and a deliberately bad prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from pipeline.knobs.domain import Choices, Domain, Range
from pipeline.knobs.reader import read_space
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs, KnobValue
from pipeline.model.model_file.documents import find_point

BAD_KNOBS: Knobs = {"blocks": 1, "batch_norm": False, "learning_rate": 1e-4}


def our_space(path: Path) -> SearchSpace:
    """Read our search space."""
    return read_space(path, find_point=find_point)


def read_prior(path: Path) -> Knobs:
    """Return all knobs of the first configuration of our search space.

    Raises:
        ValueError: the space has none.
    """
    space = our_space(path)
    return space.knobs_of(first_params(space))


def first_params(space: SearchSpace) -> Knobs:
    """Return the searched knobs of the first configuration of a space; ValueError where it has none."""
    if not space.first_trials:
        raise ValueError(f"{space.source}: a benchmark starts from a first configuration; add first_trials")
    return space.first_params()[0]


def documents_space() -> SearchSpace:
    """Return the documents' knobs as users of the peers search them."""
    return read_space(Path(__file__).with_name("documents.yaml"))


def documents_space_with(prior: Knobs) -> SearchSpace:
    """Return the documents' knobs, widened until ``prior`` lies among them, with the prior as its first trial."""
    plain = documents_space()
    domains = {name: _including(plain.domain(name), prior[name]) for name in KNOBS}
    told = {name: domain for name, domain in domains.items() if name in plain.domains or not domain.is_fixed}
    return replace(plain, domains=told, first_trials=({name: prior[name] for name in told},))


def _including(domain: Domain, value: KnobValue) -> Domain:
    if domain.holds(value):
        return domain
    if isinstance(domain, Choices):
        return Choices((*domain.values, value))
    low, high = min(domain.low, float(value)), max(domain.high, float(value))
    wider = Range(low, high, log=domain.log, step=domain.step)
    return wider if wider.holds(value) else replace(wider, step=None)


def write_bad_space(space: Path, path: Path) -> Path:
    """Write our space with one first configuration that is deliberately bad, and return ``path``.

    It is our prior with one block, no batch normalization and a learning rate of 1e-4. The domains are widened to hold
    it, and say nothing of these knobs that would lead a search back.
    """
    told: dict[str, Any] = yaml.safe_load(space.read_text())
    read = our_space(space)
    knobs = {**told["knobs"], **{name: _written(_including(read.domain(name), bad)) for name, bad in BAD_KNOBS.items()}}
    first = {**first_params(read), **BAD_KNOBS}
    path.write_text(yaml.safe_dump({**told, "knobs": knobs, "first_trials": [first]}, sort_keys=False))
    return path


def _written(domain: Domain) -> Mapping[str, object]:
    if isinstance(domain, Choices):
        return {"choices": list(domain.values)}
    ends: dict[str, object] = {"low": domain.low, "high": domain.high}
    return ends | ({"log": True} if domain.log else {}) | ({"step": domain.step} if domain.step else {})
