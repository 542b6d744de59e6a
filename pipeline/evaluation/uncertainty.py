"""How sure a figure is: intervals, the spread over seeds, and whether one model is better than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from pipeline.evaluation.scores import Predictions

LEVEL = 0.95
ALPHA = 0.05


@dataclass(frozen=True)
class Share:
    """How many of ``n_images`` were right, with the interval of the share."""

    n_right: int
    n_images: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.n_right / self.n_images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval (Wilson, "Probable inference, the law of succession", JASA 1927)."""
        from scipy.stats import binomtest

        low, high = binomtest(self.n_right, self.n_images).proportion_ci(LEVEL, method="wilson")
        return float(low), float(high)


def share_right(predictions: Predictions) -> Share:
    """Return how many images were classified right."""
    return Share(int(predictions.is_right.sum()), len(predictions.labels))


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


@dataclass(frozen=True)
class Scores:
    """The scores of one configuration over seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.values)

    @property
    def spread(self) -> float:
        """Their standard deviation (of a sample); 0 for a single one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0


def is_inside_noise(best: Scores, next_best: Scores) -> bool:
    """Tell whether two means differ by less than the standard error of their difference.

    That is sqrt(s1^2 / n1 + s2^2 / n2), for spreads that need not be alike (Welch, "The generalization of Student's
    problem", Biometrika 1947). A single seed shows no spread: then every lead is inside.
    """
    return abs(best.mean - next_best.mean) < standard_error((best, next_best))


def standard_error(scores: Sequence[Scores]) -> float:
    """Return the standard error of the difference of two means; infinite where one has a single score."""
    if any(len(one.values) < 2 for one in scores):
        return math.inf
    return math.sqrt(sum(one.spread**2 / len(one.values) for one in scores))
