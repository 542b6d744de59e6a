"""A sampler whose proposals keep a limit that is known before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import PipelineError

_DRAWS, _FALLBACK_DRAWS = 20, 200  # a draw of the sampler gp takes up to a second


class LimitedSampler(BaseSampler):
    """Draws again what ``accepts`` refuses: first from the ``sampler``, then from the ``fallback``.

    All ``distributions`` are drawn together, so that a configuration can be judged as a whole. The sampler is asked
    with the trial itself: its generations or its sequence go on as if it had drawn an accepted one at once.
    """

    def __init__(
        self, sampler: BaseSampler, fallback: BaseSampler, distributions: dict[str, BaseDistribution],
        accepts: Callable[[dict[str, Any]], bool],
    ) -> None:  # fmt: skip
        self._sampler, self._fallback = sampler, fallback
        self._distributions, self._accepts = distributions, accepts

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space."""
        return self._distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a configuration that is accepted.

        Raises:
            PipelineError: all draws were refused.
        """
        for sampler, n_draws in ((self._sampler, _DRAWS), (self._fallback, _FALLBACK_DRAWS)):
            for _ in range(n_draws):
                params = _draw(sampler, study, trial, search_space)
                if self._accepts(params):
                    return params
        raise PipelineError(
            "the limits must leave configurations to the sampler, but none of "
            f"{_DRAWS + _FALLBACK_DRAWS} draws in a row kept them; raise --max-parameters, or change the space"
        )

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Leave a single parameter to the sampler."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Tell the sampler."""
        self._sampler.before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tell the sampler."""
        self._sampler.after_trial(study, trial, state, values)


def _draw(
    sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial, space: dict[str, BaseDistribution]
) -> dict[str, Any]:
    """Return what a trial with this sampler alone would get."""
    params = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
    return {
        name: params[name] if name in params else sampler.sample_independent(study, trial, name, distribution)
        for name, distribution in space.items()
    }
