"""A search space: read from YAML, asked for knobs, shortened, made a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial

from pipeline.data.scaling import Scaling
from pipeline.errors import SpaceError
from pipeline.knobs.domain import Choices, Domain, Range, fixed
from pipeline.knobs.prior import Prior
from pipeline.knobs.reader import read_space
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS
from pipeline.model.architecture import make_architecture
from pipeline.model.model_file.documents import find_point, read_document
from pipeline.model.network import network_layers
from pipeline.paths import SPACES_DIR, space_path

Read = Callable[[str], SearchSpace]
SPACES = sorted(path for path in SPACES_DIR.glob("*.yaml") if path.stat().st_size)
NARROW = ("cifar10_by_hand", "cifar10_models", "transfer")
DOCUMENTS_KNOBS = (
    "blocks", "convs_per_block", "batch_norm", "fc_depth", "dropout_before_pool", "dropout_after_pool", "batch_size",
    "learning_rate", "epochs",
)  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a space from its text."""

    def read_text(text: str) -> SearchSpace:
        path = tmp_path / "space.yaml"
        path.write_text(text, encoding="utf-8")
        return read_space(path, find_point=find_point)

    return read_text


def space_of(**domains: Domain) -> SearchSpace:
    return SearchSpace("space.yaml", dict(domains))


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_shipped_space_can_be_asked_for_its_first_trials(path: Path) -> None:
    space = read_space(path, find_point=find_point)

    assert space.first_trials
    for params in space.first_params():
        assert params.keys() == space.searched.keys()
        knobs = space.suggest(FixedTrial(params))
        assert params.items() <= knobs.items()


def test_general_space_names_every_knob_in_the_tables_order_and_fixes_defaults() -> None:
    domains = read_space(SPACES_DIR / "default.yaml").domains

    assert domains.keys() == KNOBS.keys()
    ranges = [knob for name, knob in KNOBS.items() if name.startswith(("plateau_", "early_")) or knob.kind == "bool"]
    unlike = [knob.name for knob in ranges if domains[knob.name] != fixed(knob.default)]
    assert unlike == ["whitening", "batch_norm", "pool_first"]


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_shipped_space_draws_only_values_that_the_table_allows(path: Path) -> None:
    space = read_space(path, find_point=find_point)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    for _ in range(5):
        knobs = space.suggest(study.ask())
        assert [name for name, value in knobs.items() if KNOBS[name].problem(value)] == []


@pytest.mark.parametrize("path", [path for path in SPACES if path.stem not in NARROW], ids=lambda path: path.stem)
def test_shipped_space_for_images_searches_every_knob_of_the_documents(path: Path) -> None:
    searched = read_space(path).searched

    assert [name for name in DOCUMENTS_KNOBS if name not in searched] == []


@pytest.mark.parametrize("path", [path for path in SPACES if path.stem not in NARROW], ids=lambda path: path.stem)
def test_shipped_space_states_a_prior_of_every_searched_knob_and_leaves_room_above_the_first_epochs(path: Path) -> None:
    space = read_space(path)

    assert [name for name in space.searched if space.prior(name) is None] == []
    assert space.max_epochs >= 60
    assert all(int(first["epochs"]) <= 20 for first in space.first_trials)


def test_space_of_the_chapters_models_starts_with_its_eight_models() -> None:
    space, compared = read_space(SPACES_DIR / "cifar10_models.yaml"), ("Conv2D", "Dense", "MaxPooling2D", "Dropout")

    for number, first in enumerate(space.first_params(), start=1):
        knobs, model = space.knobs_of(first), read_document(f"cifar10_model_{number}_meant")
        layers = [layer for layer in model.layers if layer.kind in compared]
        architecture = make_architecture(
            knobs, input_shape=model.input_shape, n_classes=10, pixel_scaling=Scaling((1.0,) * 3, (0.0,) * 3)
        )
        ours = [(kind, arguments) for kind, _, arguments in network_layers(architecture)]

        built = [(kind, size(arguments)) for kind, arguments in ours if kind in compared]
        assert built == [(layer.kind, size(layer.arguments)) for layer in layers]
        assert sum(kind == "BatchNormalization" for kind, _ in ours) == sum(
            layer.kind == "BatchNormalization" for layer in model.layers
        )
        assert {name: knobs[name] for name in model.training} == model.training
    assert len(space.first_trials) == 8


def size(arguments: Mapping[str, object]) -> object:
    """Return the filters, the units, the pool size or the rate of a layer."""
    return next(arguments[name] for name in ("filters", "units", "pool_size", "rate") if name in arguments)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("blocks: 4", fixed(4)),
        ("blocks: 4.0", fixed(4)),
        ("batch_norm: false", fixed(False)),
        ("activation: selu", fixed("selu")),
        ("activation: 'selu'", fixed("selu")),
        ("filter_growth: 2", fixed(2.0)),
        ("learning_rate: 1e-3", fixed(0.001)),
        ("learning_rate: 1.0e-3", fixed(0.001)),
        ("learning_rate: 3E-4", fixed(0.0003)),
        ("filters: {choices: [16, 32]}", Choices((16, 32))),
        ("label_smoothing: {choices: [0, 1e-1]}", Choices((0.0, 0.1))),
        ("batch_norm: {choices: [true, false]}", Choices((True, False))),
        ("filters: {choices: [16]}", fixed(16)),
        ("blocks: {low: 1, high: 3}", Range(1.0, 3.0)),
        ("learning_rate: {low: 1e-4, high: 1, log: true}", Range(0.0001, 1.0, log=True)),
        ("fc_dropout: {low: 0, high: 0.5, step: 0.1}", Range(0.0, 0.5, step=0.1)),
        ("filters: {low: 8, high: 64, step: 8}", Range(8.0, 64.0, step=8)),
        ("filters:\n    low: 8\n    high: 64\n    log: true", Range(8.0, 64.0, log=True)),
    ],
)
def test_domain_is_read(read: Read, text: str, domain: Domain) -> None:
    (found,) = read(f"knobs:\n  {text}\n").domains.values()

    assert repr(found) == repr(domain)  # whole knobs stay whole: 4, not 4.0


def test_space_without_knobs_has_every_default(read: Read) -> None:
    knobs = read("knobs: {}").suggest(FixedTrial({}))

    assert knobs == {name: knob.default for name, knob in KNOBS.items()}


def test_suggest_returns_all_knobs_in_the_tables_order(read: Read) -> None:
    space = read("knobs: {optimizer: sgd, filters: 8, blocks: {low: 1, high: 3}}")

    knobs = space.suggest(FixedTrial({"blocks": 2}))

    assert list(knobs) == list(KNOBS)
    assert (knobs["blocks"], knobs["filters"], knobs["optimizer"]) == (2, 8, "sgd")


def test_suggest_asks_for_every_searched_knob_even_where_it_has_no_effect(read: Read) -> None:
    space = read("knobs: {blocks: 2, fc_depth: {low: 0, high: 1}, fc_units: {choices: [64, 128]}}")
    trial = FixedTrial({"fc_depth": 0, "fc_units": 64})

    space.suggest(trial)

    assert trial.params == {"fc_depth": 0, "fc_units": 64}
    assert list(space.searched) == ["fc_depth", "fc_units"]


def test_suggest_gives_each_knob_its_own_type(read: Read) -> None:
    space = read(
        "knobs: {blocks: {low: 1, high: 3}, filter_growth: {low: 1, high: 3}, batch_norm: {choices: [true, false]}}"
    )

    knobs = space.suggest(FixedTrial({"blocks": 2, "filter_growth": 2, "batch_norm": False}))

    assert [type(knobs[name]) for name in ("blocks", "filter_growth", "batch_norm")] == [int, float, bool]


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (fixed(3), [3], [4]),
        (Choices(("relu", "elu")), ["elu"], ["tanh"]),
        (Range(1, 3), [1, 3], [0, 4, "relu"]),
        (Range(0, 0.3, step=0.1), [0, 0.1, 0.3], [0.15, 0.4]),
    ],
)
def test_domain_knows_its_values(domain: Domain, inside: list[Any], outside: list[Any]) -> None:
    assert [domain.holds(value) for value in inside] == [True] * len(inside)
    assert [domain.holds(value) for value in outside] == [False] * len(outside)


def test_range_whose_steps_miss_its_end_is_drawn_up_to_the_last_step() -> None:
    space = space_of(filters=Range(1, 8, step=2))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    drawn = {space.suggest(study.ask())["filters"] for _ in range(30)}

    assert drawn == {1, 3, 5, 7}


@pytest.mark.parametrize(
    ("domain", "limit", "left", "max_epochs"),
    [
        (None, 4, fixed(4), 4),
        (fixed(15), 4, fixed(4), 4),
        (fixed(3), 4, fixed(3), 3),
        (Choices((2, 8, 16)), 4, Choices((2, 4)), 4),
        (Choices((8, 16)), 4, fixed(4), 4),
        (Range(2, 16), 4, Range(2, 4), 4),
        (Range(2, 3), 4, Range(2, 3), 3),
        (Range(8, 16), 4, fixed(4), 4),
        (Range(2, 20, step=5), 15, Range(2, 15, step=5), 12),
        (Range(2, 16), None, Range(2, 16), 16),
    ],
)
def test_epochs_are_capped(domain: Domain | None, limit: int | None, left: Domain, max_epochs: int) -> None:
    space = space_of(**({"epochs": domain} if domain else {}))

    capped = space.with_epochs_at_most(limit)

    assert capped.domains["epochs"] == left
    assert capped.max_epochs == max_epochs


@pytest.mark.parametrize(
    "domain", [fixed(15), Choices((2, 8, 15)), Range(2, 15), Range(5, 20, step=5)], ids=lambda domain: repr(domain)
)
@pytest.mark.parametrize("limit", [3, 7, 12])
def test_first_trials_stay_inside_capped_epochs(domain: Domain, limit: int) -> None:
    space = replace(space_of(epochs=domain), first_trials=({"epochs": 15}, {}))

    capped = space.with_epochs_at_most(limit)

    assert capped.domains["epochs"].holds(capped.first_trials[0]["epochs"])
    assert capped.first_trials[1] == {}


def test_most_epochs_default_to_the_tables() -> None:
    assert space_of().max_epochs == KNOBS["epochs"].default


def test_grid_has_the_values_of_searched_knobs_alone(read: Read) -> None:
    space = read(
        "knobs: {filters: 8, activation: {choices: [relu, elu]}, blocks: {low: 1, high: 3},"
        " fc_units: {low: 8, high: 30, step: 8}, fc_dropout: {low: 0, high: 0.3, step: 0.1}}"
    )

    assert space.grid() == {
        "activation": ["relu", "elu"],
        "blocks": [1, 2, 3],
        "fc_units": [8, 16, 24],
        "fc_dropout": [0.0, 0.1, 0.2, 0.3],
    }


def test_grid_can_be_searched_to_its_end(read: Read) -> None:
    space = read("knobs: {fc_dropout: {low: 0, high: 0.3, step: 0.1}, epochs: {low: 5, high: 12, step: 5}}")
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(space.grid(), seed=0))

    study.optimize(lambda trial: float(space.suggest(trial)["fc_dropout"]), n_trials=20)

    assert len(study.trials) == 8
    assert study.best_value == 0.0


def test_grid_is_refused_where_a_range_has_no_end_of_values(read: Read) -> None:
    space = read("knobs: {learning_rate: {low: 1e-3, high: 1e-1, log: true}, blocks: {low: 1, high: 2}}")

    with pytest.raises(SpaceError, match=r"^\S+: sampler grid needs a 'step' or 'choices' .* learning_rate .*; add"):
        space.grid()


def test_grid_is_refused_where_it_is_too_large_to_go_through(read: Read) -> None:
    space = read("knobs: {filters: {low: 1, high: 1000}, fc_units: {low: 1, high: 101}}")

    with pytest.raises(SpaceError, match=r"a grid may have at most 100,000 points, got 101,000; fix some knobs, or"):
        space.grid()


FINGERPRINTED = space_of(blocks=Range(1, 3), activation=Choices(("relu", "elu")), filters=fixed(8))


@pytest.mark.parametrize(
    "change",
    [
        {"blocks": Range(1, 4)},
        {"blocks": Range(1, 3, log=True)},
        {"blocks": Range(1, 3, step=2)},
        {"activation": Choices(("relu", "tanh"))},
        {"filters": fixed(16)},
        {"filters": Choices((8, 16))},
        {"epochs": fixed(3)},
    ],
)
def test_fingerprint_changes_with_a_domain(change: dict[str, Domain]) -> None:
    changed = SearchSpace("space.yaml", {**FINGERPRINTED.domains, **change})

    assert changed.fingerprint != FINGERPRINTED.fingerprint


@pytest.mark.parametrize(
    ("text", "fingerprint"),
    [
        ("blocks: {low: 1, high: 3}", "169f9084a9"),
        ("filters: {low: 8, high: 64, step: 8}", "61abe3679e"),
        ("filter_growth: {low: 1, high: 3, step: 1}", "06bc761037"),
        ("learning_rate: {low: 1e-4, high: 1, log: true}", "2cf4ba8bfa"),
        ("activation: {choices: [relu, elu]}", "03cbced65f"),
        ("filters: {choices: [8]}", "b9597365f9"),
        ("filters: 8", "b9597365f9"),
        ("filters: 32", "44136fa355"),
    ],
)
def test_fingerprint_is_that_of_recorded_studies(read: Read, text: str, fingerprint: str) -> None:
    assert read(f"knobs: {{{text}}}").fingerprint == fingerprint


def test_fingerprint_is_that_of_the_domains_and_not_of_the_file() -> None:
    again = SearchSpace("other.yaml", dict(reversed(FINGERPRINTED.domains.items())), first_trials=({"blocks": 2},))

    assert again.fingerprint == FINGERPRINTED.fingerprint
    assert len(again.fingerprint) == 10


PRIOR_SPACE = """
knobs:
  blocks: {low: 1, high: 4, prior: {center: 3, confidence: high}}
  head: {choices: [flatten, global_max], prior: {center: global_max}}
  filters: {choices: [8, 16, 32], prior: {confidence: low}}
  learning_rate: {low: 1e-4, high: 1, log: true}
  epochs: {low: 1, high: 100, log: true, prior: {center: 50}}
  kernel_size: 3
first_trials:
  - {blocks: 2, head: flatten, filters: 16, learning_rate: 0.1, epochs: 20}
  - {blocks: 4, head: flatten, filters: 32, learning_rate: 0.2, epochs: 20}
"""


def test_prior_is_read_and_lacks_are_taken_from_the_first_trial(read: Read) -> None:
    space = read(PRIOR_SPACE)

    assert {name: space.prior(name) for name in space.searched} == {
        "blocks": Prior(3, "high"),
        "head": Prior("global_max", "medium"),
        "filters": Prior(16, "low"),
        "learning_rate": Prior(0.1, "medium"),
        "epochs": Prior(50, "medium"),
    }


def test_knob_has_no_prior_where_nothing_is_said_of_it(read: Read) -> None:
    space = read("knobs: {blocks: {low: 1, high: 4}, filters: {choices: [8, 16], prior: {center: 8}}}")

    assert space.prior("blocks") is None
    assert space.prior("filters") == Prior(8, "medium")


def test_prior_leaves_domain_and_fingerprint_as_they_are(read: Read) -> None:
    space = read(PRIOR_SPACE)
    plain = SearchSpace("plain.yaml", space.domains)

    assert space.domains["blocks"] == Range(1, 4)
    assert space.fingerprint == plain.fingerprint


def test_prior_of_epochs_is_capped_with_them(read: Read) -> None:
    assert read(PRIOR_SPACE).with_epochs_at_most(30).prior("epochs") == Prior(30, "medium")


def test_all_knobs_of_a_configuration_are_its_searched_ones_the_fixed_ones_and_defaults(read: Read) -> None:
    space = read(PRIOR_SPACE)

    knobs = space.knobs_of(space.first_params()[0])

    assert list(knobs) == list(KNOBS)
    assert knobs == space.suggest(FixedTrial(space.first_params()[0]))


MODEL_FILE_SPACE = """
knobs:
  blocks: 3
  filters: {choices: [16, 32]}
  batch_norm: false
  kernel_initializer: he_uniform
  head: flatten
  batch_size: 32
  epochs: {choices: [100, 200]}
  early_stopping_monitor: val_accuracy
  early_stopping_patience: 20
first_trials: [cifar10_basic]
"""


def test_first_trial_may_be_a_hand_made_model_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MODEL_FILE_SPACE)

    space = read_space(path, find_point=find_point)

    assert space.first_params() == [{"filters": 16, "epochs": 100}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cifar10_basic]", "cifar10_basc]"), r"mine.yaml:12: .* got 'cifar10_basc'; did you mean 'cifar10_basic'\?"),
        (("cifar10_basic]", "cifar10_model_8]"), "mine.yaml:12: knobs cannot describe the layers of 'cifar10_model_8'"),
        (("blocks: 3", "blocks: 2"), "'blocks' of 'cifar10_basic' is 3 and its domain is the fixed value 2; change"),
        (("  head: flatten\n", ""), "'head' of 'cifar10_basic' is 'flatten' and its domain is the fixed value 'glo"),
    ],
)
def test_hand_made_model_outside_the_space_is_refused_as_a_first_trial(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MODEL_FILE_SPACE.replace(*change))

    with pytest.raises(SpaceError, match=message):
        read_space(path, find_point=find_point)


def test_knob_at_its_default_is_the_same_as_one_that_is_left_out() -> None:
    named = SearchSpace("x", {**FINGERPRINTED.domains, "momentum": fixed(0.9)})

    assert named.fingerprint == FINGERPRINTED.fingerprint
    assert SearchSpace("x", {**FINGERPRINTED.domains, "momentum": fixed(0.8)}).fingerprint != named.fingerprint


@pytest.mark.parametrize(
    ("dataset", "space"),
    [("digits", "digits"), ("photos", "photographs"), ("./cifar10", "cifar10"), ("my.npz", "default")],
)
def test_space_is_chosen_by_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, space: str) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "cifar10"):
        (tmp_path / folder).mkdir()

    assert space_path(None, dataset) == SPACES_DIR / f"{space}.yaml"
    assert space_path("mine.yaml", dataset) == Path("mine.yaml")
