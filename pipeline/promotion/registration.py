"""Registration of a candidate, and its promotion to champion where the gate passed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.promotion.gate import Decision, Verdict
from pipeline.promotion.locks import alias_lock
from pipeline.tracking.registry import DECISION, NO_VERSION, PREVIOUS_CHAMPION, REASON, Registry, Version


@dataclass(frozen=True)
class Candidate:
    """A logged model to register, the run it was evaluated in, and the tags and description of its version."""

    model_id: str
    run_id: str
    tags: Mapping[str, str]
    description: str


def register(
    registry: Registry, candidate: Candidate, *, champion: Version | None, decision: Decision,
    check_reload: Callable[[Version], str | None],
) -> tuple[Version, Decision]:  # fmt: skip
    """Register a candidate, and make it champion if it passed; return its version and the final decision.

    ``champion`` is the version that it was compared with. ``check_reload`` gets the registered version and returns why
    it may not become champion, or None. An exception leaves the version tagged as interrupted; only a killed process
    leaves it pending.
    """
    previous = champion.number if champion else NO_VERSION
    tags = {**candidate.tags, PREVIOUS_CHAMPION: previous, DECISION: Verdict.PENDING, REASON: "not decided yet"}
    version = registry.register(candidate.model_id, candidate.run_id, tags, candidate.description)
    final = Decision(Verdict.INTERRUPTED, "the promotion was cut off")
    try:
        final = _carry_out(registry, version, champion, decision, check_reload)
    finally:
        verdict = {DECISION: final.verdict.value, REASON: final.reason}
        registry.annotate(version, verdict, f"{final.verdict}: {final.reason}\n\n{candidate.description}")
    return version, final


def _carry_out(
    registry: Registry, version: Version, champion: Version | None, decision: Decision,
    check_reload: Callable[[Version], str | None],
) -> Decision:  # fmt: skip
    if not decision.is_pass:
        return decision
    if problem := check_reload(version):
        return Decision(Verdict.REFUSED, f"it does not repeat its predictions: {problem}")
    with alias_lock(registry.store, registry.name):
        now = registry.champion()
        if (now and now.number) != (champion and champion.number):
            return Decision(Verdict.REFUSED, f"version {now.number if now else NO_VERSION} became champion meanwhile")
        registry.make_champion(version)
    return decision
