"""Samplers that propose only what keeps a limit, by ask and tell."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from pipeline.errors import PipelineError
from pipeline.knobs.domain import Choices, Range
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.study.limited_sampler import LimitedSampler
from pipeline.study.samplers import make_sampler

SPACE = SearchSpace(
    source="some.yaml",
    domains={
        "blocks": Range(1, 4),
        "filters": Choices((8, 16, 32)),
        "learning_rate": Range(1e-4, 1e-1, log=True),
        "batch_norm": Choices((True, False)),
    },
)
SAMPLERS = ["tpe", "random", "cmaes", "qmc", "nsga2"]


@pytest.fixture(autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def size(params: Knobs) -> float:
    return float(params["blocks"]) * float(params["filters"])


def limited(name: str, most: float, *, draw: int) -> LimitedSampler:
    sampler, fallback = (make_sampler(one, SPACE, seed=0, draw=draw) for one in (name, "random"))
    return LimitedSampler(sampler, fallback, SPACE.distributions(), lambda params: size(params) <= most)


def draw_trials(name: str, *, most: float, n_trials: int) -> optuna.Study:
    """Ask and tell as a search does: larger networks are better, so that the sampler learns to leave the limit."""
    study = optuna.create_study(direction="maximize")
    for number in range(n_trials):
        study.sampler = limited(name, most, draw=number)
        trial = study.ask()
        study.tell(trial, size(SPACE.suggest(trial)))
    return study


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_proposal_keeps_the_limit_and_lies_in_the_space(name: str) -> None:
    trials = draw_trials(name, most=32, n_trials=25).trials
    assert all(size(trial.params) <= 32 for trial in trials)
    assert all(domain.holds(trial.params[knob]) for trial in trials for knob, domain in SPACE.domains.items())
    assert len({tuple(trial.params.values()) for trial in trials}) > 15


@pytest.mark.parametrize("name", SAMPLERS)
def test_limit_that_refuses_nothing_leaves_the_sampler_as_it_is(name: str) -> None:
    plain = optuna.create_study(direction="maximize")
    for number in range(12):
        plain.sampler = make_sampler(name, SPACE, seed=0, draw=number)
        trial = plain.ask()
        plain.tell(trial, size(SPACE.suggest(trial)))
    free = draw_trials(name, most=10**6, n_trials=12)
    assert [trial.params for trial in free.trials] == [trial.params for trial in plain.trials]


def test_generations_of_nsga2_go_on_within_the_limit() -> None:
    study = draw_trials("nsga2", most=32, n_trials=31)
    generations = {trial.system_attrs["NSGAIISampler:generation"] for trial in study.trials}
    assert generations == {0, 1, 2, 3}


class StubbornSampler(optuna.samplers.RandomSampler):
    """Proposes the largest network again and again."""

    def sample_relative(self, *given: object) -> dict[str, Any]:  # type: ignore[override]
        return {"blocks": 4, "filters": 32, "learning_rate": 0.01, "batch_norm": True}


def test_sampler_that_repeats_itself_gives_way_to_random_draws() -> None:
    fallback = make_sampler("random", SPACE, seed=0, draw=0)
    sampler = LimitedSampler(StubbornSampler(), fallback, SPACE.distributions(), lambda params: size(params) <= 32)
    study = optuna.create_study(sampler=sampler)
    assert size(SPACE.suggest(study.ask())) <= 32


def test_limit_that_nothing_keeps_is_an_error_of_one_line() -> None:
    study = optuna.create_study(sampler=limited("tpe", 0, draw=0))
    with pytest.raises(PipelineError, match="none of 220 draws in a row kept them; raise --max-parameters") as caught:
        SPACE.suggest(study.ask())
    assert "\n" not in str(caught.value)
