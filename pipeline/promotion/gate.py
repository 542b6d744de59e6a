"""The gate: the rules by which a candidate becomes champion or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.evaluation.uncertainty import ALPHA, PairedTest
from pipeline.settings import PromoteSettings

# A limit: the field of PromoteSettings, the figure it applies to, and whether it is the least or the most that passes.
_LIMITS: tuple[tuple[str, str, Literal["least", "most"]], ...] = (
    ("min_accuracy", "test_accuracy", "least"),
    ("max_parameters", "n_parameters", "most"),
    ("max_latency_ms", "latency_ms", "most"),
)


class Verdict(StrEnum):
    """The outcome of the gate; the tag ``decision`` of a version."""

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


def decide(
    settings: PromoteSettings, *, figures: Mapping[str, float], champion: str | None, comparison: PairedTest | str
) -> Decision:
    """Decide on a candidate with these ``figures``; the settings hold the limits, and ``force`` that overrides all.

    ``champion`` is the number of the champion's version, None where there is none; ``comparison`` is the paired test
    against it, or the reason why the two cannot be compared.
    """
    is_better, reason = _beats_champion(champion, comparison)
    objections = ([] if is_better else [reason]) + _broken_limits(settings, figures)
    if not objections:
        return Decision(Verdict.PROMOTED, reason)
    reason = "; ".join(objections)
    return (
        Decision(Verdict.FORCED, f"forced, although {reason}") if settings.force else Decision(Verdict.REFUSED, reason)
    )


def _beats_champion(champion: str | None, comparison: PairedTest | str) -> tuple[bool, str]:
    """Return whether the candidate is better than the champion, and why."""
    if champion is None:
        return True, "there was no champion"
    if isinstance(comparison, str):
        return False, comparison
    counts = (
        f"the candidate alone is right on {comparison.n_only_candidate} test images, the champion alone on "
        f"{comparison.n_only_champion} (exact McNemar test, one-sided: p = {comparison.p_value:.3g})"
    )
    if comparison.is_won:
        return True, f"it beats champion version {champion}: {counts}"
    return False, f"it does not beat champion version {champion} at the level {ALPHA:g}: {counts}"


def _broken_limits(settings: PromoteSettings, figures: Mapping[str, float]) -> list[str]:
    """Return a phrase for each limit that the figures break."""
    broken = []
    for field, figure, side in _LIMITS:
        limit, value = getattr(settings, field), figures[figure]
        if limit is not None and (value < limit if side == "least" else value > limit):
            broken.append(f"{figure} {value:.6g} is {'below' if side == 'least' else 'above'} {field} {limit:g}")
    return broken


def incomparable(champion_tags: Mapping[str, str], candidate_tags: Mapping[str, str], number: str) -> str | None:
    """Return why champion version ``number`` cannot be compared with the candidate, by their tags; None if it can."""
    for name, what in (("dataset_digest", "data"), ("test_digest", "test images")):
        if name not in champion_tags:
            return f"champion version {number} has no tag {name} and so cannot be compared"
        if champion_tags[name] != candidate_tags[name]:
            return (
                f"champion version {number} is of other {what} (digest {champion_tags[name][:8]}..., the candidate's "
                f"{candidate_tags[name][:8]}...) and so is not compared"
            )
    return None
