"""Proposals lie in their space, follow its priors, and really change what they mutate."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from random import Random

import pytest

from pipeline.knobs.domain import Choices, Domain, Range, fixed
from pipeline.knobs.prior import Prior
from pipeline.knobs.proposals import changes, draw_prior, draw_uniform, mutate
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs

DOMAINS: dict[str, Domain] = {
    "blocks": Range(2, 4),
    "filters": Choices((16, 24, 32, 64)),
    "filter_growth": Range(1.0, 2.0),
    "batch_norm": Choices((True, False)),
    "batch_norm_momentum": Range(0.5, 0.9),
    "dropout_after_pool": Range(0.0, 0.5, step=0.1),
    "head": Choices(("global_max", "global_average", "flatten")),
    "fc_depth": Range(0, 1),
    "fc_units": Range(8, 512, log=True),
    "optimizer": Choices(("sgd", "adamw", "adam")),
    "learning_rate": Range(1e-4, 1.0, log=True),
    "momentum": Choices((0.8, 0.9)),
    "batch_size": Choices((64, 128, 256)),
    "epochs": Range(3, 200, log=True),
    "kernel_size": fixed(3),
}
FIRST: Knobs = {
    "blocks": 3, "filters": 32, "filter_growth": 2.0, "batch_norm": True, "batch_norm_momentum": 0.9,
    "dropout_after_pool": 0.0, "head": "global_max", "fc_depth": 0, "fc_units": 128, "optimizer": "sgd",
    "learning_rate": 0.4, "momentum": 0.9, "batch_size": 256, "epochs": 7,
}  # fmt: skip
SPACE = SearchSpace("space.yaml", DOMAINS, first_trials=(FIRST,))
N_DRAWS = 2000


def draws(name: str, space: SearchSpace) -> list[object]:
    """Return the values of a knob in many draws from the prior."""
    rng = Random(0)
    return [draw_prior(space, rng)[name] for _ in range(N_DRAWS)]


def space_of(name: str, domain: Domain, prior: Prior) -> SearchSpace:
    return SearchSpace("space.yaml", {name: domain}, priors={name: prior})


def assert_inside(params: Knobs) -> None:
    assert params.keys() == SPACE.searched.keys()
    assert [name for name, value in params.items() if not SPACE.domain(name).holds(value)] == []
    assert [name for name, value in params.items() if type(value) is not type(KNOBS[name].default)] == []


def test_every_proposal_lies_in_the_space_in_the_knobs_own_types() -> None:
    rng = Random(0)
    known = FIRST
    for _ in range(500):
        known = mutate(SPACE, known, rng)
        for params in (draw_uniform(SPACE, rng), draw_prior(SPACE, rng), known):
            assert_inside(params)


def test_proposals_follow_from_the_generator() -> None:
    def propose(seed: int) -> list[Knobs]:
        rng = Random(seed)
        return [draw_uniform(SPACE, rng), draw_prior(SPACE, rng), mutate(SPACE, FIRST, rng)]

    assert propose(3) == propose(3)
    assert propose(3) != propose(4)


def test_uniform_draws_reach_all_values_alike() -> None:
    rng = Random(0)
    drawn = [draw_uniform(SPACE, rng) for _ in range(N_DRAWS)]

    for name in ("blocks", "filters", "head", "dropout_after_pool", "batch_norm"):
        counts = Counter(params[name] for params in drawn)
        assert counts.keys() == set(SPACE.values(name))
        assert min(counts.values()) > 0.75 * N_DRAWS / len(counts)


@pytest.mark.parametrize("name", ["learning_rate", "fc_units", "epochs"])
def test_uniform_draws_of_a_logarithmic_domain_are_uniform_over_magnitudes(name: str) -> None:
    rng, domain = Random(0), SPACE.domain(name)
    assert isinstance(domain, Range)
    middle = math.sqrt(domain.low * domain.high)

    below = sum(float(draw_uniform(SPACE, rng)[name]) < middle for _ in range(N_DRAWS))

    assert 0.45 < below / N_DRAWS < 0.55


@pytest.mark.parametrize(("confidence", "spread"), [("low", 0.5), ("medium", 0.25), ("high", 0.1)])
def test_numbers_lie_about_the_center_as_closely_as_the_confidence_says(confidence: str, spread: float) -> None:
    domain = Range(1e-6, 10.0, log=True)
    positions = [
        (math.log10(value) + 6) / 7  # type: ignore[arg-type]
        for value in draws("learning_rate", space_of("learning_rate", domain, Prior(10**-2.5, confidence)))
    ]

    inside = statistics.NormalDist(0.5, spread)
    share = inside.cdf(0.6) - inside.cdf(0.4)
    expected = share / (inside.cdf(1) - inside.cdf(0))
    assert sum(0.4 < position < 0.6 for position in positions) / N_DRAWS == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("confidence", "share"), [("low", 0.4), ("medium", 0.6), ("high", 0.8)])
def test_center_of_choices_without_an_order_has_the_weight_of_the_confidence(confidence: str, share: float) -> None:
    domain = Choices(("relu", "elu", "selu", "silu"))
    counts = Counter(draws("activation", space_of("activation", domain, Prior("elu", confidence))))

    assert counts["elu"] / N_DRAWS == pytest.approx(share, abs=0.04)
    assert min(counts.values()) / N_DRAWS == pytest.approx((1 - share) / 3, abs=0.03)


@pytest.mark.parametrize(
    ("name", "domain"), [("filters", Choices((64, 8, 32, 16))), ("blocks", Range(1, 4)), ("epochs", Range(3, 6))]
)
def test_neighbours_in_order_are_drawn_more_often_than_values_further_away(name: str, domain: Domain) -> None:
    values = sorted(domain.points(name) or [])
    counts = Counter(draws(name, space_of(name, domain, Prior(values[0], "medium"))))

    assert [value for value, _ in counts.most_common()] == values


def test_prior_is_around_the_first_trial_where_the_space_states_none() -> None:
    assert SPACE.prior("blocks") == Prior(3, "medium")
    counts = Counter(draws("head", SPACE))
    assert counts["global_max"] / N_DRAWS == pytest.approx(0.6, abs=0.04)


def test_knob_without_a_prior_is_drawn_uniformly() -> None:
    counts = Counter(draws("head", SearchSpace("space.yaml", {"head": DOMAINS["head"]})))

    assert min(counts.values()) > 0.75 * N_DRAWS / 3


@pytest.mark.parametrize("n_knobs", [1, 2, 3])
def test_mutation_changes_as_many_knobs_as_it_is_told(n_knobs: int) -> None:
    rng = Random(0)
    for _ in range(200):
        mutated = mutate(SPACE, FIRST, rng, n_knobs=n_knobs)
        changed = {name for name in FIRST if mutated[name] != FIRST[name]}
        moved_along = {"learning_rate"} if "optimizer" in changed else set()
        assert n_knobs in (len(changed), len(changed - moved_along))


def test_mutation_changes_one_to_three_knobs_where_it_is_not_told() -> None:
    space, rng = SearchSpace("space.yaml", {**DOMAINS, "optimizer": fixed("sgd")}), Random(0)
    first = {name: value for name, value in FIRST.items() if name != "optimizer"}

    numbers = Counter(
        sum(mutated[name] != first[name] for name in first)
        for mutated in (mutate(space, first, rng) for _ in range(500))
    )

    assert numbers.keys() == {1, 2, 3}


def test_mutation_leaves_alone_what_has_no_effect_in_the_configuration() -> None:
    rng = Random(0)
    idle = {"fc_units", "batch_norm_momentum", "momentum"}
    without: Knobs = {**FIRST, "batch_norm": False, "optimizer": "adam", "learning_rate": 0.004}

    mutations = [mutate(SPACE, without, rng, n_knobs=1) for _ in range(500)]

    assert {name for mutated in mutations for name in idle if mutated[name] != without[name]} == set()
    assert {name for mutated in mutations for name in FIRST if mutated[name] != without[name]} == FIRST.keys() - idle


def test_mutation_keeps_the_knobs_that_it_is_told_to_keep() -> None:
    rng = Random(0)
    keep = ("epochs", "learning_rate")

    for _ in range(300):
        mutated = mutate(SPACE, FIRST, rng, keep=keep)
        assert [mutated[name] for name in keep] == [FIRST[name] for name in keep]
        assert mutated != FIRST


def test_configuration_in_which_nothing_can_change_stays_as_it_is() -> None:
    space = SearchSpace("space.yaml", {"fc_depth": fixed(0), "fc_units": Choices((8, 16))})

    assert mutate(space, {"fc_units": 8}, Random(0)) == {"fc_units": 8}


def test_mutated_numbers_are_the_nearer_the_surer_the_prior() -> None:
    def distance(confidence: str) -> float:
        space = space_of("learning_rate", DOMAINS["learning_rate"], Prior(0.01, confidence))
        rng = Random(0)
        drawn = [mutate(space, {"learning_rate": 0.01}, rng)["learning_rate"] for _ in range(500)]
        return statistics.fmean(abs(math.log(float(value) / 0.01)) for value in drawn)

    assert distance("high") < distance("medium") < distance("low")


def test_mutated_numbers_differ_by_more_than_nothing() -> None:
    space, rng = space_of("learning_rate", DOMAINS["learning_rate"], Prior(0.4, "high")), Random(0)

    drawn = [float(mutate(space, {"learning_rate": 0.4}, rng)["learning_rate"]) for _ in range(500)]

    assert min(abs(math.log(rate / 0.4)) for rate in drawn) > 0.09


def test_learning_rate_moves_with_the_optimizer() -> None:
    space = SearchSpace(
        "space.yaml",
        {name: DOMAINS[name] for name in ("optimizer", "learning_rate")},
        first_trials=({"optimizer": "sgd", "learning_rate": 0.1},),
    )
    rng = Random(0)
    mutations = [mutate(space, {"optimizer": "sgd", "learning_rate": 0.1}, rng, n_knobs=1) for _ in range(50)]
    drawn = [draw_prior(space, rng) for _ in range(N_DRAWS)]

    moved = [params["learning_rate"] for params in mutations if params["optimizer"] != "sgd"]
    assert moved
    assert moved == pytest.approx([0.001] * len(moved))
    medians = {
        optimizer: statistics.median(float(one["learning_rate"]) for one in drawn if one["optimizer"] == optimizer)
        for optimizer in ("sgd", "adamw")
    }
    assert medians["adamw"] < medians["sgd"] / 20


def test_learning_rate_that_moves_with_the_optimizer_stays_in_its_domain() -> None:
    space = SearchSpace("space.yaml", {"optimizer": Choices(("sgd", "adam")), "learning_rate": Range(0.01, 1.0)})

    mutated = mutate(space, {"optimizer": "sgd", "learning_rate": 0.02}, Random(1), n_knobs=2)

    assert mutated == {"optimizer": "adam", "learning_rate": 0.01}


def test_changes_are_told_in_words() -> None:
    after = {**FIRST, "learning_rate": 0.21987, "head": "global_average", "batch_norm": False, "blocks": 2}

    assert changes(FIRST, after) == (
        "blocks 3 -> 2, batch_norm true -> false, head global_max -> global_average, learning_rate 0.4 -> 0.22"
    )
    assert changes(FIRST, FIRST) == ""
