"""Register a candidate, and make it champion if the gate lets it pass and nothing has happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.promotion.gate import Decision, Verdict
from pipeline.promotion.locks import alias_lock
from pipeline.tracking.registry import DECISION, NO_VERSION, PREVIOUS_CHAMPION, REASON, Registry, Version


@dataclass(frozen=True)
class Registration:
    """A candidate to register: its logged model, its run, what its version is tagged with and described by."""

    model_id: str
    run_id: str
    tags: Mapping[str, str]
    description: str = field(default="")


def register(
    registry: Registry, candidate: Registration, *, champion: Version | None, decision: Decision,
    check_reload: Callable[[Version], str | None],
) -> tuple[Version, Decision]:  # fmt: skip
    """Register a candidate that ``decision`` is about, and carry the decision out.

    ``champion`` is the version that it was compared with; ``check_reload`` gets the registered version and returns
    why it may not be champion, or None. The version never stays without a decision, unless this process is killed.
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
