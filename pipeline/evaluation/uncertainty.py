"""How sure a figure is: intervals, the spread over seeds, and whether one model is better than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from pipeline.evaluation.scores import Predictions

LEVEL = 0.95
ALPHA = 0.05


def score_interval(n_right: int, n_images: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, "Probable inference, the law of succession", JASA 1927)."""
    from scipy.stats import binomtest

    low, high = binomtest(n_right, n_images).proportion_ci(LEVEL, method="wilson")
    return float(low), float(high)


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same images: how many only the one, and only the other, got right."""

    n_only_candidate: int
    n_only_champion: int

    @property
    def p_value(self) -> float:
        """How likely so many or more fall to the candidate where neither model is better.

        McNemar's test ("Note on the sampling error of the difference between correlated proportions", Psychometrika
        1947), exact and one-sided: a sign test of the images that only one of the models got right.
        """
        from scipy.stats import binomtest

        n_discordant = self.n_only_candidate + self.n_only_champion
        if n_discordant == 0:
            return 1.0
        return float(binomtest(self.n_only_candidate, n_discordant, 0.5, alternative="greater").pvalue)

    @property
    def is_won(self) -> bool:
        """Whether the candidate is better at the level 0.05."""
        return self.p_value < ALPHA


def paired_test(candidate: Predictions, champion: Predictions) -> PairedTest:
    """Compare two models by their answers to the same images."""
    ours, theirs = candidate.is_right, champion.is_right
    return PairedTest(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))


def seed_spread(scores: Sequence[float]) -> float:
    """Return the standard deviation (of a sample) of one configuration's scores over seeds; 0 for a single one."""
    return stdev(scores) if len(scores) > 1 else 0.0


def standard_error_of_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the standard error of the difference of two means; infinite where one has a single score.

    That is sqrt(s1^2 / n1 + s2^2 / n2), for spreads that need not be alike (Welch, "The generalization of Student's
    problem", Biometrika 1947).
    """
    if min(len(first), len(second)) < 2:
        return math.inf
    return math.sqrt(sum(stdev(scores) ** 2 / len(scores) for scores in (first, second)))
