"""Brackets on a made-up landscape: who races whom, for how long, when exploring ends, what a kill changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulation import SPACE, Simulation, accuracy, rungs_of

from pipeline.data.image_set import Array
from pipeline.evaluation.paired import Difference
from pipeline.knobs.table import Knobs
from pipeline.study import brackets
from pipeline.study.fits import FINAL, Fit
from pipeline.training.result import Epoch
from pipeline.workers.events import EpochEnd
from pipeline.workers.job import Job

GOOD_START: Knobs = {"learning_rate": 0.1, "filters": 32, "epochs": 200}


def finals(fits: list[Fit]) -> list[Fit]:
    return [fit for fit in fits if fit.rung == FINAL]


def test_search_within_a_time_ends_with_a_final_training_just_before_it() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    assert finals(fits) == [fits[-1]]
    assert 0.98 * 1200 <= simulation.now <= 1200


def test_winner_beats_the_first_configuration_and_the_screen_says_by_how_much() -> None:
    simulation = Simulation(minutes=20)
    strategy = simulation.strategy()
    fits = simulation.run(strategy)
    strategy.close()
    assert finals(fits)[0].configuration != fits[0].number
    assert simulation.lines[-1].startswith("the search improved on the first configuration by +")
    assert "filters 16 -> 32" in simulation.lines[-1]


def test_likely_lead_on_the_last_rung_is_enough_for_the_final_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def little(ours: Array, theirs: Array) -> Difference:
        return Difference(0.007 * float(np.sign(ours.mean() - theirs.mean())), 0.01)

    monkeypatch.setattr(brackets, "paired_difference", little)
    simulation = Simulation(minutes=20)
    assert finals(simulation.run(simulation.strategy()))[0].params["filters"] == 32


def test_first_configuration_that_nothing_beats_gets_the_final_training() -> None:
    def flat(params: Knobs, seconds: float) -> float:
        return accuracy(GOOD_START, seconds) - 0.05 * (params["learning_rate"] != 0.1 or params["filters"] != 16)

    simulation = Simulation(minutes=20, accuracy_of=flat)
    strategy = simulation.strategy()
    fits = simulation.run(strategy)
    strategy.close()
    assert finals(fits)[0].configuration == fits[0].number
    assert simulation.lines[-1].startswith("the search found nothing better than the first configuration")
    assert any(line.startswith("exploring ends") for line in simulation.lines)


def test_rungs_have_equal_seconds_and_four_times_as_many() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    lowest = {fit.resource for fit in fits if fit.rung == 0 and fit.bracket > 0}
    assert len(lowest) == 1
    assert {fit.resource for fit in fits if fit.rung == 1} == {4 * next(iter(lowest))}


def test_lowest_rung_is_four_epochs_of_the_incumbent_or_a_hundredth_of_the_time() -> None:
    slow = Simulation(minutes=20, epoch_seconds=5.0)
    assert slow.run(slow.strategy(), n_fits=2)[1].resource == 20.0
    fast = Simulation(minutes=20, epoch_seconds=0.1)
    assert fast.run(fast.strategy(), n_fits=3)[2].resource == 12.0


def test_incumbent_runs_the_rungs_of_its_challengers_once() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    runs = [(fit.configuration, fit.rung, fit.resource) for fit in fits if fit.rung != FINAL]
    assert len(runs) == len(set(runs))
    for bracket in {fit.bracket for fit in fits if fit.rung == 1}:
        met = {fit.configuration for fit in fits if fit.rung == 1 and fit.bracket <= bracket}
        assert len(met) >= 2


def test_exploring_takes_at_most_two_fifths_of_an_hour_or_less() -> None:
    def endless_gains(params: Knobs, seconds: float) -> float:
        return accuracy({**params, "filters": 16}, seconds) + 0.01 * math.log10(float(params["learning_rate"]))

    simulation = Simulation(minutes=60, accuracy_of=endless_gains)
    fits = simulation.run(simulation.strategy())
    assert sum(fit.seconds for fit in fits if fit.rung != FINAL) <= 0.4 * 3600


def test_time_too_short_for_a_bracket_goes_to_the_first_configuration_and_the_screen_says_so() -> None:
    simulation = Simulation(minutes=0.5, epoch_seconds=1.0)
    fits = simulation.run(simulation.strategy())
    assert rungs_of(fits) == [(0, FINAL, "prior")]
    assert any("too short" in line for line in simulation.lines)
    assert simulation.now <= 30


def test_bracket_has_mutations_of_the_incumbent_a_proposal_of_the_sampler_and_a_uniform_draw() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    assert sorted(fit.origin for fit in fits if fit.bracket == 2 and fit.rung == 0) == [
        "mutation", "mutation", "sampler", "uniform",
    ]  # fmt: skip
    assert all(fit.parent is not None for fit in fits if fit.origin == "mutation")


def test_hopeless_challenger_is_stopped_within_its_rung_and_the_incumbent_never_is() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    stopped = [fit for fit in fits if not fit.has_finished_schedule]
    assert stopped
    assert all(fit.curve[-1][0] < 1 for fit in stopped)
    assert all(fit.bracket > 0 and fit.rung != FINAL for fit in stopped)
    patient = Simulation(minutes=20, pruner="none")
    assert all(fit.has_finished_schedule for fit in patient.run(patient.strategy()))


def test_losers_of_a_rung_are_pruned_and_nothing_is_held_open() -> None:
    simulation = Simulation(minutes=20)
    fits = simulation.run(simulation.strategy())
    assert {fit.state.name for fit in fits} == {"COMPLETE", "PRUNED"}
    first = fits[0].number
    for fit in fits:
        if fit.bracket == 1 and fit.rung == 0 and fit.has_finished_schedule:
            own = next(one.value for one in fits if one.configuration == first and one.resource == fit.resource)
            assert (fit.state.name == "COMPLETE") == (fit.value >= own)


@pytest.mark.parametrize("minutes", [20, None])
def test_search_that_is_killed_after_any_fit_goes_on_as_it_would_have(minutes: float | None) -> None:
    whole = Simulation(minutes=minutes)
    expected = whole.run(whole.strategy())
    killed = Simulation(minutes=minutes)
    fits: list[Fit] = []
    while len(fits) < len(expected):
        fits = killed.run(killed.strategy(), n_fits=1)  # a new command each time
    assert [(fit.params, fit.rung, fit.resource) for fit in fits] == [
        (fit.params, fit.rung, fit.resource) for fit in expected
    ]


def test_time_that_was_spent_before_a_kill_is_gone() -> None:
    simulation = Simulation(minutes=20)
    simulation.run(simulation.strategy(), n_fits=5)
    simulation.now += 1000  # the command was gone for a while: that costs nothing
    before = simulation.now
    simulation.run(simulation.strategy())
    assert simulation.now - before < 1200 - 4 * 8


def test_longer_limit_reopens_a_search_that_had_ended() -> None:
    simulation = Simulation(minutes=10)
    fits = simulation.run(simulation.strategy())
    assert simulation.run(simulation.strategy()) == fits or len(simulation.run(simulation.strategy())) == len(fits)
    simulation.minutes = 40
    more = simulation.run(simulation.strategy())
    assert len(finals(more)) == 2
    assert finals(more)[1].resource > finals(more)[0].resource


def test_without_a_time_rungs_are_epochs_and_the_number_of_trials_is_kept() -> None:
    simulation = Simulation(trials=20)
    fits = simulation.run(simulation.strategy())
    assert len(fits) == 20
    assert {fit.resource for fit in fits} == {4, None}
    assert any(fit.rung == FINAL for fit in fits)


def test_few_trials_are_all_trained_in_full() -> None:
    simulation = Simulation(trials=3)
    assert [fit.rung for fit in simulation.run(simulation.strategy())] == [FINAL] * 3


def test_more_trials_extend_a_study() -> None:
    simulation = Simulation(trials=8)
    assert len(simulation.run(simulation.strategy())) == 8
    simulation.trials = 14
    assert len(simulation.run(simulation.strategy())) == 14


def test_search_without_another_configuration_ends_with_the_first_one() -> None:
    simulation = Simulation(minutes=20, accepts=lambda params: False)
    fits = simulation.run(simulation.strategy())
    assert finals(fits)[0].configuration == fits[0].number
    assert any("no other configuration" in line for line in simulation.lines)


def test_above_an_hour_incumbent_and_first_configuration_meet_once_more() -> None:
    simulation = Simulation(minutes=120)
    fits = simulation.run(simulation.strategy())
    met = [fit for fit in fits if fit.rung == 2]
    assert {fit.configuration for fit in met} == {fits[0].number, finals(fits)[0].configuration}


def test_each_gpu_gets_a_finalist() -> None:
    simulation = Simulation(minutes=20, n_finals=3)
    strategy = simulation.strategy()
    simulation.run(strategy, n_fits=1)
    while not any(one.rung == FINAL for one in strategy.agenda.wanted):
        simulation.run(strategy, n_fits=1)
    assert len({one.parent for one in strategy.agenda.wanted}) == 3
    assert strategy.most_workers() == 3


@pytest.mark.parametrize("minutes", [20, None])
def test_same_seed_repeats_the_same_fits(minutes: float | None) -> None:
    first, second = Simulation(minutes=minutes), Simulation(minutes=minutes)
    ours, theirs = first.run(first.strategy()), second.run(second.strategy())
    assert [fit.params for fit in ours] == [fit.params for fit in theirs]
    assert SPACE.first_trials[0]["filters"] == ours[0].params["filters"]


def test_epochs_that_come_again_after_the_death_of_a_worker_count_once() -> None:
    simulation = Simulation(trials=8)
    strategy = simulation.strategy()
    trial = simulation._ask(strategy)
    assert trial is not None
    job = Job("trial-0", None, seed=0, tags={}, number=trial.number)
    for share in (0.25, 0.5, 0.25, 0.5, 0.75):
        strategy.judge(trial, job, EpochEnd(trial.number, 1, Epoch(1, 1.0, share, 1.0, share, 0.1, 1.0, share=share)))
    assert strategy._curves[trial.number] == [(0.25, 0.25), (0.5, 0.5), (0.75, 0.75)]


def larger(ours: Knobs, theirs: Knobs) -> bool:
    return float(ours["filters"]) > float(theirs["filters"])


def slow_but_better(params: Knobs, seconds: float) -> float:
    """Larger networks need longer, and are the best in the end; everything else of the space is worse."""
    if params["learning_rate"] != 0.1:
        return 0.2
    return max(0.1, 0.80 + 0.04 * math.log2(float(params["filters"]) / 16) - left_to_learn(params, seconds))


def left_to_learn(params: Knobs, seconds: float) -> float:
    """Return the error on training images."""
    size = math.log2(float(params["filters"]) / 16)
    return float((0.30 + 0.45 * size) * (1 + seconds / 10) ** (-0.7 - 0.3 * size))


def slow_starters() -> Simulation:
    return Simulation(
        minutes=20, accuracy_of=slow_but_better, is_slow_starter=larger,
        training_accuracy_of=lambda params, seconds: 1 - left_to_learn(params, seconds),
    )  # fmt: skip


def test_slow_starter_is_judged_by_what_it_will_be_in_the_final_training() -> None:
    simulation = slow_starters()
    strategy = simulation.strategy()
    fits = simulation.run(strategy)
    strategy.close()
    assert finals(fits)[0].params["filters"] == 32
    winner = finals(fits)[0].configuration
    on_rungs = {fit.rung: fit.value for fit in fits if fit.configuration == winner}
    own = {fit.rung: fit.value for fit in fits if fit.configuration == fits[0].number}
    assert on_rungs[0] < own[0] - 0.05
    assert on_rungs[FINAL] > 0.82
    assert "expected of the final training" in simulation.lines[-1]


def test_slow_starter_that_does_not_catch_up_does_not_win() -> None:
    def never(params: Knobs, seconds: float) -> float:
        return accuracy({**params, "filters": 16}, seconds) - 0.1 * (params["filters"] == 32)

    simulation = Simulation(minutes=20, accuracy_of=never, is_slow_starter=larger)
    fits = simulation.run(simulation.strategy())
    assert any(fit.rung == 1 and fit.params["filters"] == 32 for fit in fits)
    assert finals(fits)[0].params["filters"] != 32


def test_mutation_that_starts_slower_is_not_stopped_within_its_rungs() -> None:
    simulation = slow_starters()
    fits = simulation.run(simulation.strategy())
    slower = [fit for fit in fits if fit.origin == "mutation" and fit.params["filters"] == 32]
    assert slower
    assert all(fit.has_finished_schedule for fit in slower if fit.bracket == 1)


def test_rungs_in_epochs_count_on_no_longer_training() -> None:
    simulation = Simulation(trials=20, accuracy_of=slow_but_better, is_slow_starter=larger)
    simulation.run(simulation.strategy())
    assert not any("expected of the final training" in line for line in simulation.lines)


def test_search_without_a_mistake_left_goes_on_to_its_end() -> None:
    simulation = Simulation(minutes=20, accuracy_of=lambda params, seconds: 1.0)
    assert finals(simulation.run(simulation.strategy()))
