"""Challengers: the configurations that race an incumbent, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import optuna

from pipeline.knobs.proposals import draw_prior, draw_uniform, mutate
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.study.brackets import PRIOR, IsSlowStarter, Wanted
from pipeline.study.fits import MUTATION, Fit
from pipeline.study.samplers import derive_seed, propose

SAMPLER, UNIFORM = "sampler", "uniform"
_SLOWER = "slower mutation"
_PLACES = (MUTATION, SAMPLER, _SLOWER, UNIFORM)
_MAX_DRAWS = 50

Accepts = Callable[[Knobs], bool]
Draw = Callable[[int], Knobs | None]


@dataclass(frozen=True, eq=False)
class Challengers:
    """Draws challengers: mutations of the incumbent, the sampler's proposals, the space's other first trials, uniform.

    The mix is that of PriorBand (Mallik et al. 2023). Those that ``accepts`` refuses are drawn anew. The same study,
    seed and number of trials give the same challenger. Mutations keep ``epochs``, which no short rung could judge.
    With ``is_slow_starter`` one of two mutations changes one knob such that it starts slower than the incumbent: in a
    training that is much longer than the rungs, larger networks and more regularization gain most.
    """

    study: optuna.Study
    space: SearchSpace
    sampler: str
    seed: int
    accepts: Accepts
    is_slow_starter: IsSlowStarter | None = None

    def make(self, wanted: Wanted, fits: Sequence[Fit], incumbent: Fit) -> Wanted | None:
        """Return what is wanted with a configuration of its own; None where all draws were refused."""
        draw_number = len(self.study.get_trials(deepcopy=False))
        known = [fit.params for fit in fits]
        for origin, draw in self._sources(wanted, incumbent, Random(derive_seed(self.seed, draw_number))):
            for attempt in range(_MAX_DRAWS):
                params = draw(draw_number + attempt * 1_000_000)
                if params is not None and params not in known and self.accepts(params):
                    parent = incumbent.configuration if origin == MUTATION else None
                    return replace(wanted, origin=origin, parent=parent, params=params)
        return None

    def _sources(self, wanted: Wanted, incumbent: Fit, rng: Random) -> Iterator[tuple[str, Draw]]:
        """Yield the origin of a place, and where its draws are all refused, others."""
        draws: dict[str, Draw] = {
            MUTATION: lambda _: mutate(self.space, incumbent.params, rng, keep=("epochs",)),
            SAMPLER: lambda draw: propose(self.study, self.sampler, self.space, seed=self.seed, draw=draw),
            _SLOWER: lambda _: self._slower(incumbent.params, rng),
            UNIFORM: lambda _: draw_uniform(self.space, rng),
            PRIOR: lambda _: draw_prior(self.space, rng),
        }
        origin = _PLACES[wanted.place % len(_PLACES)]
        if origin == _SLOWER and self.is_slow_starter is None:
            origin = MUTATION
        if wanted.bracket == 1 and origin == SAMPLER:  # which has seen nothing yet
            given = self.space.first_params()[1:]
            place = wanted.place // len(_PLACES)
            if place < len(given):
                yield PRIOR, lambda _: given[place]
            origin = PRIOR
        for source in dict.fromkeys((origin, MUTATION, UNIFORM)):
            yield MUTATION if source == _SLOWER else source, draws[source]

    def _slower(self, params: Knobs, rng: Random) -> Knobs | None:
        """Change one knob; None where that does not make a slower starter."""
        mutated = mutate(self.space, params, rng, n_knobs=1, keep=("epochs",))
        assert self.is_slow_starter is not None
        return mutated if self.is_slow_starter(mutated, params) else None
