"""Samplers and pruners by name, by ask and tell on a cheap objective in place of a training."""

from __future__ import annotations

import importlib.util
import itertools

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from pipeline.errors import SettingError, SpaceError
from pipeline.knobs.domain import Choices, Range, fixed
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS, Knobs
from pipeline.settings import PRUNERS, SAMPLERS
from pipeline.study import pruners, samplers
from pipeline.study.pruners import ReachablePruner, make_pruner
from pipeline.study.samplers import check_sampler, derive_seed, is_exhausted, make_sampler, propose

MIXED = SearchSpace(
    source="mixed.yaml",
    domains={
        "blocks": Range(1, 3),
        "dropout_after_pool": Range(0.0, 0.5, step=0.25),
        "learning_rate": Range(1e-4, 1e-1, log=True),
        "optimizer": Choices(("adam", "sgd")),
        "batch_norm": Choices((True, False)),
        "head": fixed("flatten"),
    },
)
GRID = SearchSpace(
    source="grid.yaml",
    domains={
        "blocks": Range(1, 3),
        "dropout_after_pool": Range(0.0, 0.5, step=0.25),
        "optimizer": Choices(("adam", "sgd")),
        "head": fixed("flatten"),
    },
)
GRID_POINTS = set(itertools.product((1, 2, 3), (0.0, 0.25, 0.5), ("adam", "sgd")))
MAX_EPOCHS = 9
PRUNER_CLASSES = {
    "reachable": ReachablePruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "patient": optuna.pruners.PatientPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
    "none": optuna.pruners.NopPruner,
}


@pytest.fixture(autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def space_for(sampler: str) -> SearchSpace:
    return GRID if sampler == "grid" else MIXED


def score(knobs: Knobs) -> float:
    return -abs(float(knobs["blocks"]) - 2) - float(knobs["dropout_after_pool"]) + (knobs["optimizer"] == "sgd")


def draw(sampler: str, *, n_trials: int, seed: int = 0) -> list[Knobs]:
    """Ask as the objective does: a sampler made anew for each trial."""
    if sampler == "gp" and importlib.util.find_spec("torch") is None:
        pytest.skip("sampler gp needs PyTorch, which is not installed")
    space = space_for(sampler)
    study = optuna.create_study(direction="maximize")
    drawn = []
    for number in range(n_trials):
        study.sampler = make_sampler(sampler, space, seed=seed, draw=number)
        trial = study.ask()
        drawn.append(space.suggest(trial))
        study.tell(trial, score(drawn[-1]))
    return drawn


def test_tables_hold_the_samplers_and_pruners_that_the_settings_know() -> None:
    assert tuple(samplers.SAMPLERS) == SAMPLERS
    assert tuple(pruners.PRUNERS) == PRUNERS


def test_unknown_sampler_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"sampler .* got 'cma-es'; did you mean 'cmaes'\?"):
        make_sampler("cma-es", MIXED, seed=0, draw=0)


def test_unknown_pruner_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"pruner .* got 'medium'; did you mean 'median'\?"):
        make_pruner("medium", max_steps=MAX_EPOCHS)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler_proposes_all_knobs_inside_their_domains(sampler: str) -> None:
    domains = space_for(sampler).domains
    for knobs in draw(sampler, n_trials=10):
        assert list(knobs) == list(KNOBS)
        assert all(KNOBS[name].problem(value) is None for name, value in knobs.items())
        assert all(domain.holds(knobs[name]) for name, domain in domains.items())
        assert knobs["dropout_after_pool"] in (0.0, 0.25, 0.5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler_repeats_itself_for_the_same_seed(sampler: str) -> None:
    assert draw(sampler, n_trials=9, seed=3) == draw(sampler, n_trials=9, seed=3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler_draws_otherwise_for_another_seed(sampler: str) -> None:
    assert draw(sampler, n_trials=6, seed=3) != draw(sampler, n_trials=6, seed=4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler_does_not_propose_one_configuration_again_and_again(sampler: str) -> None:
    drawn = [tuple(knobs.values()) for knobs in draw(sampler, n_trials=9)]
    assert len(set(drawn)) >= 7


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_learning_sampler_goes_where_trials_were_good(sampler: str) -> None:
    late = draw(sampler, n_trials=20)[10:]
    assert sum(knobs["blocks"] == 2 for knobs in late) > len(late) / 3


def test_grid_visits_each_point_once_and_is_then_exhausted() -> None:
    study = optuna.create_study()
    visited = []
    while not is_exhausted("grid", GRID, study):
        study.sampler = make_sampler("grid", GRID, seed=0, draw=len(visited))
        trial = study.ask()
        knobs = GRID.suggest(trial)
        visited.append((knobs["blocks"], knobs["dropout_after_pool"], knobs["optimizer"]))
        study.tell(trial, 0.0)
    assert len(visited) == len(GRID_POINTS)
    assert set(visited) == GRID_POINTS


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"])
def test_other_samplers_never_end(sampler: str) -> None:
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert not is_exhausted(sampler, SearchSpace("one.yaml", {"blocks": fixed(1)}), study)


def test_grid_refuses_a_range_without_step_and_names_it() -> None:
    with pytest.raises(SpaceError, match=r"mixed\.yaml: .*'step'.*learning_rate") as caught:
        check_sampler("grid", MIXED)
    assert "\n" not in str(caught.value)
    assert "dropout_after_pool" not in str(caught.value)


def prune_epoch(pruner: str, curve: list[float], *, others: list[list[float]], direction: str) -> int | None:
    """Return the epoch after which a trial with ``curve`` is pruned that follows those with ``others``."""
    study = optuna.create_study(
        direction=direction, pruner=make_pruner(pruner, max_steps=MAX_EPOCHS), study_name="fixed: hyperband hashes it"
    )
    for values in others:
        trial = study.ask()
        for epoch, value in enumerate(values, start=1):
            trial.report(value, step=epoch)
            trial.should_prune()  # successive halving notes its rungs when asked
        study.tell(trial, values[-1])
    late = study.ask()
    for epoch, value in enumerate(curve, start=1):
        late.report(value, step=epoch)
        if late.should_prune():
            study.tell(late, state=TrialState.PRUNED)
            return epoch
    return None


GOOD = [[0.80 + 0.01 * epoch + 0.001 * number for epoch in range(MAX_EPOCHS)] for number in range(8)]
HOPELESS = [0.10 - 0.001 * epoch for epoch in range(MAX_EPOCHS)]  # falling: a patient pruner spares a flat one
EXCELLENT = [0.99] * MAX_EPOCHS


@pytest.mark.parametrize("pruner", PRUNERS)
def test_pruner_is_of_the_class_that_its_name_says(pruner: str) -> None:
    assert type(make_pruner(pruner, max_steps=MAX_EPOCHS)) is PRUNER_CLASSES[pruner]


def test_slow_starter_that_can_still_reach_the_best_is_not_pruned() -> None:
    slow = [0.1, 0.2, 0.5, 0.79, 0.8, 0.85, 0.87, 0.88, 0.89]
    assert prune_epoch("reachable", slow, others=GOOD, direction="maximize") is None


def test_trial_that_is_not_half_done_is_not_judged_by_reach() -> None:
    assert prune_epoch("reachable", HOPELESS, others=GOOD, direction="maximize") == MAX_EPOCHS // 2


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])
def test_hopeless_trial_is_pruned_before_its_last_epoch(pruner: str) -> None:
    epoch = prune_epoch(pruner, HOPELESS, others=GOOD, direction="maximize")
    assert epoch is not None
    assert epoch < MAX_EPOCHS


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])
def test_hopeless_trial_is_pruned_where_small_values_are_good(pruner: str) -> None:
    losses = [[1 - value for value in values] for values in GOOD]
    assert prune_epoch(pruner, [1 - value for value in HOPELESS], others=losses, direction="minimize") is not None


@pytest.mark.parametrize("pruner", PRUNERS)
def test_best_trial_is_never_pruned(pruner: str) -> None:
    assert prune_epoch(pruner, EXCELLENT, others=GOOD, direction="maximize") is None


FOLDS = [0.91, 0.93, 0.90, 0.92, 0.94]  # best accuracy of each fold of the best trial


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_wilcoxon_prunes_after_three_folds_that_are_all_worse(direction: str) -> None:
    sign = 1 if direction == "maximize" else -1
    best, worse = [sign * value for value in FOLDS], [sign * (value - 0.01) for value in FOLDS]
    assert prune_epoch("wilcoxon", worse, others=[best], direction=direction) == 3


def test_wilcoxon_compares_each_fold_with_the_same_one_of_the_best_trial() -> None:
    """The trial's mean is below the best one's, but it is worse in one of the hard folds alone."""
    mixed = [0.92, 0.94, 0.80, 0.93, 0.95]
    assert sum(mixed) < sum(FOLDS)
    assert prune_epoch("wilcoxon", mixed, others=[FOLDS], direction="maximize") is None


def test_wilcoxon_lets_the_first_trial_finish() -> None:
    assert prune_epoch("wilcoxon", HOPELESS, others=[], direction="maximize") is None


def test_pruner_none_lets_a_hopeless_trial_go_on() -> None:
    assert prune_epoch("none", HOPELESS, others=GOOD, direction="maximize") is None


def test_successive_halving_decides_after_the_first_epoch() -> None:
    assert prune_epoch("successive_halving", HOPELESS, others=GOOD, direction="maximize") == 1


def test_patient_pruner_waits_longer_than_the_median_pruner() -> None:
    epochs = [prune_epoch(name, HOPELESS, others=GOOD, direction="maximize") for name in ("median", "patient")]
    assert epochs[0] is not None
    assert epochs[1] is not None
    assert epochs[0] < epochs[1]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_proposals_outside_the_study_differ_from_draw_to_draw_and_leave_no_trial(sampler: str) -> None:
    study = optuna.create_study(direction="maximize")
    proposed = [propose(study, sampler, MIXED, seed=0, draw=draw) for draw in range(5)]
    assert len({str(params) for params in proposed}) == 5
    assert proposed[2] == propose(study, sampler, MIXED, seed=0, draw=2)
    assert study.get_trials() == []


def test_tpe_on_a_known_space_draws_what_optunas_own_infers() -> None:
    study = optuna.create_study(direction="maximize")
    for number in range(12):
        study.sampler = make_sampler("tpe", MIXED, seed=0, draw=number)
        trial = study.ask()
        study.tell(trial, score(MIXED.suggest(trial)))
    seed, ended = derive_seed(0, 99), study.get_trials()
    drawn = []
    for sampler in (
        make_sampler("tpe", MIXED, seed=0, draw=99),
        optuna.samplers.TPESampler(seed=seed, n_startup_trials=6, multivariate=True, constant_liar=True),
    ):
        copy = optuna.create_study(direction="maximize", sampler=sampler)
        copy.add_trials(ended)
        drawn.append(MIXED.suggest(copy.ask()))
    assert drawn[0] == drawn[1]


def test_proposals_follow_from_the_best_trials_of_a_long_study_however_old() -> None:
    study = optuna.create_study(direction="maximize")
    space = SearchSpace(source="one.yaml", domains={"learning_rate": Range(1e-4, 1e-1, log=True)})
    distributions = space.distributions()
    for number in range(400):
        is_good = number < 30
        rate = 1e-3 * (1 + number / 1000) if is_good else 1e-2 * (1 + number / 1000)
        value = 0.9 if is_good else 0.1
        study.add_trial(
            create_trial(
                params={"learning_rate": rate}, distributions=distributions, value=value, intermediate_values={0: value}
            )
        )
    rates = [float(propose(study, "tpe", space, seed=0, draw=draw)["learning_rate"]) for draw in range(10)]
    assert all(rate < 3e-3 for rate in rates)
