"""The gate: whether a candidate becomes champion, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipeline.evaluation.uncertainty import ALPHA, PairedTest
from pipeline.settings import PromoteSettings
from pipeline.tracking.limits import Limit, broken_limits


class Verdict(StrEnum):
    """What the gate says; the tag ``decision`` of a version."""

    PENDING = "pending"
    PROMOTED = "promoted"
    FORCED = "promoted by force"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Decision:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str

    @property
    def is_pass(self) -> bool:
        """Whether the candidate may become champion."""
        return self.verdict in (Verdict.PROMOTED, Verdict.FORCED)


def make_limits(settings: PromoteSettings) -> tuple[Limit, ...]:
    """Return the limits that the user gave."""
    asked = (
        ("test_accuracy", settings.min_accuracy, True),
        ("n_parameters", settings.max_parameters, False),
        ("latency_ms", settings.max_latency_ms, False),
    )
    return tuple(Limit(figure, bound, is_least) for figure, bound, is_least in asked if bound is not None)


def decide(
    *, champion: str | None, contest: PairedTest | str, figures: Mapping[str, float], limits: tuple[Limit, ...],
    force: bool,
) -> Decision:  # fmt: skip
    """Decide on a candidate with the ``figures`` that limits are about.

    ``champion`` is the number of the champion's version, None where there is none; ``contest`` is the test against
    it, or why there can be none. ``force`` overrides all objections.
    """
    merit, objections = _contend(champion, contest)
    objections += broken_limits(figures, limits)
    if not objections:
        return Decision(Verdict.PROMOTED, merit)
    reason = "; ".join(objections)
    return Decision(Verdict.FORCED, f"forced, although {reason}") if force else Decision(Verdict.REFUSED, reason)


def _contend(champion: str | None, contest: PairedTest | str) -> tuple[str, list[str]]:
    """Return what speaks for the candidate, and what against it."""
    if champion is None:
        return "there was no champion", []
    if isinstance(contest, str):
        return "", [contest]
    counts = (
        f"the candidate alone is right on {contest.n_only_candidate} test images, the champion alone on "
        f"{contest.n_only_champion} (exact McNemar test, one-sided: p = {contest.p_value:.3g})"
    )
    if contest.is_won:
        return f"it beats champion version {champion}: {counts}", []
    return "", [f"it does not beat champion version {champion} at the level {ALPHA:g}: {counts}"]


def incomparable(champion_tags: Mapping[str, str], candidate_tags: Mapping[str, str], number: str) -> str | None:
    """Return why a champion with such tags cannot be compared with the candidate; None where it can be."""
    for name, what in (("dataset_digest", "data"), ("test_digest", "test images")):
        if name not in champion_tags:
            return f"champion version {number} has no tag {name} and so cannot be compared"
        if champion_tags[name] != candidate_tags[name]:
            return (
                f"champion version {number} is of other {what} (digest {champion_tags[name][:8]}..., the candidate's "
                f"{candidate_tags[name][:8]}...) and so is not compared"
            )
    return None
