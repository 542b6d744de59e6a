"""Which configurations a search may train, and what it starts with."""

from __future__ import annotations

import pytest
from simulation import fit_of

from pipeline.errors import SettingError
from pipeline.evaluation.limits import Limits
from pipeline.knobs.domain import Choices
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import Knobs
from pipeline.study.feasibility import Feasibility
from pipeline.study.first_configuration import choose_first

SPACE = SearchSpace(
    "s.yaml",
    {
        "blocks": Choices((1, 2)),
        "filters": Choices((4, 8, 256)),
        "batch_size": Choices((8, 32)),
        "dropout_after_pool": Choices((0.0, 0.5)),
        "backbone": Choices(("none", "MobileNetV3Small")),
        "head": Choices(("global_average", "flatten")),
    },
)
SMALL: Knobs = {
    "blocks": 1, "filters": 8, "batch_size": 32, "dropout_after_pool": 0.0, "backbone": "none",
    "head": "global_average",
}  # fmt: skip


def feasibility(*, shape: tuple[int, ...] = (16, 16, 3), **limits: float | None) -> Feasibility:
    return Feasibility(SPACE, shape, 10, Limits(**limits))  # type: ignore[arg-type]


def test_network_above_the_limit_of_parameters_is_refused_before_it_is_trained() -> None:
    judge = feasibility(max_parameters=1000)
    assert judge.keeps_limits(SMALL)
    assert not judge.keeps_limits({**SMALL, "filters": 256})


def test_network_whose_parameters_are_unknown_is_tried() -> None:
    assert feasibility(max_parameters=1).keeps_limits({**SMALL, "backbone": "MobileNetV3Small", "head": "flatten"})


def test_fit_that_measured_above_a_limit_goes_no_further() -> None:
    judge = feasibility(max_parameters=1000, max_latency_ms=5.0)
    assert judge.is_feasible(fit_of(SMALL, figures={"n_parameters": 1000, "latency_ms": 5.0}))
    assert not judge.is_feasible(fit_of(SMALL, figures={"n_parameters": 1001}))
    assert not judge.is_feasible(fit_of(SMALL, figures={"latency_ms": 5.1}))


def test_configuration_that_makes_too_few_steps_within_a_rung_is_not_started() -> None:
    judge, seen = feasibility(), [fit_of(SMALL, figures={"images_per_second": 10_000.0})]
    assert judge.is_fast_enough(SMALL, seconds=1.0, fits=seen)
    assert not judge.is_fast_enough({**SMALL, "filters": 256}, seconds=1.0, fits=seen)
    assert judge.is_fast_enough({**SMALL, "filters": 256}, seconds=1000.0, fits=seen)


def test_speed_of_what_nobody_has_measured_or_can_estimate_is_no_reason_to_refuse() -> None:
    assert feasibility().is_fast_enough({**SMALL, "filters": 256}, seconds=0.1, fits=[])
    photographs = feasibility(shape=(-1, -1, 3))
    assert photographs.is_fast_enough(SMALL, seconds=0.1, fits=[fit_of(SMALL, figures={"images_per_second": 1.0})])


def test_larger_network_and_more_dropout_start_slowly() -> None:
    judge = feasibility()
    assert judge.is_slow_starter({**SMALL, "filters": 256}, SMALL)
    assert judge.is_slow_starter({**SMALL, "dropout_after_pool": 0.5}, SMALL)
    assert judge.is_slow_starter({**SMALL, "augmentation": "heavy"}, {**SMALL, "augmentation": "shifts"})
    assert not judge.is_slow_starter(SMALL, {**SMALL, "filters": 256})


def test_search_starts_with_the_first_trial_of_the_space_that_keeps_the_limits() -> None:
    large: Knobs = {**SMALL, "filters": 256, "blocks": 2}
    space = SearchSpace("s.yaml", SPACE.domains, first_trials=(large, SMALL))
    assert choose_first(space, feasibility(), seed=0) == large
    assert choose_first(space, feasibility(max_parameters=1000), seed=0) == SMALL


def test_space_without_first_trials_starts_with_defaults_where_they_lie_in_the_domains() -> None:
    chosen = choose_first(SPACE, feasibility(), seed=0)
    assert (chosen["head"], chosen["backbone"]) == ("global_average", "none")
    assert all(SPACE.domain(name).holds(value) for name, value in chosen.items())


def test_limit_that_no_configuration_keeps_is_refused_in_one_line() -> None:
    only_blocks = SearchSpace("s.yaml", {"filters": Choices((64, 128))})
    judge = Feasibility(only_blocks, (16, 16, 3), 10, Limits(max_parameters=10))
    with pytest.raises(SettingError, match=r"max_parameters must leave a configuration of s\.yaml, got 10; raise it"):
        choose_first(only_blocks, judge, seed=0)
