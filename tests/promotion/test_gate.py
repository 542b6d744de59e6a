"""The gate's decisions, from figures alone."""

from __future__ import annotations

import pytest

from pipeline.evaluation.uncertainty import PairedTest
from pipeline.promotion.gate import Verdict, decide, incomparable
from pipeline.settings import PromoteSettings

FIGURES = {"test_accuracy": 0.95, "n_parameters": 1000, "latency_ms": 4.0}
BETTER, ALIKE, WORSE = PairedTest(12, 1), PairedTest(6, 5), PairedTest(1, 12)


def verdict(comparison: PairedTest | str, *, champion: str | None = "3", **settings: object) -> tuple[Verdict, str]:
    asked = PromoteSettings.model_validate(settings)
    decision = decide(asked, figures=FIGURES, champion=champion, comparison=comparison)
    return decision.verdict, decision.reason


def test_first_candidate_passes() -> None:
    assert verdict("", champion=None) == (Verdict.PROMOTED, "there was no champion")


def test_candidate_that_beats_the_champion_passes() -> None:
    said, reason = verdict(BETTER)

    assert said is Verdict.PROMOTED
    assert "beats champion version 3" in reason
    assert "candidate alone is right on 12 test images, the champion alone on 1" in reason
    assert "p = 0.00171" in reason


@pytest.mark.parametrize("comparison", [ALIKE, WORSE])
def test_candidate_that_does_not_beat_the_champion_is_refused(comparison: PairedTest) -> None:
    said, reason = verdict(comparison)

    assert said is Verdict.REFUSED
    assert reason.startswith("it does not beat champion version 3 at the level 0.05")


def test_champion_that_cannot_be_compared_is_not_replaced() -> None:
    assert verdict("champion version 3 is of other data") == (Verdict.REFUSED, "champion version 3 is of other data")


@pytest.mark.parametrize(
    ("limit", "phrase"),
    [
        ({"min_accuracy": 0.96}, "test_accuracy 0.95 is below min_accuracy 0.96"),
        ({"max_parameters": 999}, "n_parameters 1000 is above max_parameters 999"),
        ({"max_latency_ms": 3.5}, "latency_ms 4 is above max_latency_ms 3.5"),
    ],
)
def test_broken_limit_refuses_even_the_first_and_the_better(limit: dict[str, object], phrase: str) -> None:
    assert verdict("", champion=None, **limit) == (Verdict.REFUSED, phrase)
    assert verdict(BETTER, **limit) == (Verdict.REFUSED, phrase)


def test_limits_that_hold_to_the_digit_pass() -> None:
    assert verdict(BETTER, min_accuracy=0.95, max_parameters=1000, max_latency_ms=4.0)[0] is Verdict.PROMOTED


def test_force_overrides_comparison_and_limits_and_says_so() -> None:
    said, reason = verdict(WORSE, min_accuracy=0.99, force=True)

    assert said is Verdict.FORCED
    assert reason.startswith("forced, although it does not beat champion version 3")
    assert "test_accuracy 0.95 is below min_accuracy 0.99" in reason


def test_force_that_was_not_needed_is_no_force() -> None:
    assert verdict(BETTER, force=True)[0] is Verdict.PROMOTED


@pytest.mark.parametrize(
    ("champion", "phrase"),
    [
        ({}, "has no tag dataset_digest"),
        ({"dataset_digest": "b" * 32, "test_digest": "c" * 32}, r"other data \(digest bbbbbbbb"),
        ({"dataset_digest": "a" * 32, "test_digest": "d" * 32}, "other test images"),
        ({"dataset_digest": "a" * 32}, "has no tag test_digest"),
    ],
)
def test_champion_of_other_data_or_origin_is_not_compared(champion: dict[str, str], phrase: str) -> None:
    ours = {"dataset_digest": "a" * 32, "test_digest": "c" * 32}

    reason = incomparable(champion, ours, "3")

    assert reason is not None
    assert phrase.replace("\\", "") in reason
    assert incomparable(ours, ours, "3") is None
