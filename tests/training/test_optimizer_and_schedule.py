"""The knobs of the optimizer and of the learning rate's schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.errors import SettingError
from pipeline.knobs.table import KNOBS, KnobValue, complete
from pipeline.training.optimizer import make_optimizer
from pipeline.training.plan import TrainingPlan
from pipeline.training.schedule import make_learning_rate, position_variable, set_position

SCHEDULES = KNOBS["learning_rate_schedule"].choices


def optimizer_of(**knobs: KnobValue) -> Any:
    return make_optimizer(TrainingPlan(complete(knobs)), n_steps=100)


def rates_of(schedule: str, n_steps: int, peak: float = 0.5) -> list[float]:
    """Return the learning rate of each training step."""
    rate = make_learning_rate(schedule, peak, n_steps)
    return [float(np.asarray(rate(step))) if callable(rate) else rate for step in range(n_steps)]


@pytest.mark.parametrize(
    ("name", "class_name"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD"), ("rmsprop", "RMSprop")]
)
def test_optimizer_is_the_one_named(name: str, class_name: str) -> None:
    assert type(optimizer_of(optimizer=name)).__name__ == class_name


@pytest.mark.parametrize("name", KNOBS["optimizer"].choices)
def test_learning_rate_is_the_optimizers(name: str) -> None:
    assert float(np.asarray(optimizer_of(optimizer=name, learning_rate=0.25).learning_rate)) == 0.25


@pytest.mark.parametrize("name", KNOBS["optimizer"].choices)
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_weight_decay_is_every_optimizers(name: str, decay: float) -> None:
    assert (optimizer_of(optimizer=name, weight_decay=decay).weight_decay or 0.0) == decay


@pytest.mark.parametrize("name", KNOBS["optimizer"].choices)
def test_weight_decay_shrinks_weights_that_have_no_gradient(name: str) -> None:
    import keras

    weight = keras.Variable(np.ones(3, np.float32))

    optimizer_of(optimizer=name, weight_decay=0.5, learning_rate=0.1).apply([keras.ops.zeros(3)], [weight])

    np.testing.assert_allclose(np.asarray(weight.value), 1 - 0.1 * 0.5, rtol=1e-5)


@pytest.mark.parametrize("name", KNOBS["optimizer"].choices)
def test_biases_of_batch_normalization_alone_learn_at_the_multiplied_rate(name: str) -> None:
    plain, faster = one_step(optimizer=name), one_step(optimizer=name, batch_norm_bias_rate=16.0)

    assert plain.keys() == {"conv/kernel", "conv/bias", "norm/gamma", "norm/beta", "dense/kernel", "dense/bias"}
    assert np.abs(plain["norm/beta"]).min() > 0
    np.testing.assert_allclose(faster.pop("norm/beta"), 16 * plain.pop("norm/beta"), rtol=1e-4)
    for path, step in plain.items():
        np.testing.assert_allclose(faster[path], step, rtol=1e-4, atol=1e-7)


def test_backbone_alone_learns_at_its_own_rate() -> None:
    import keras

    head, backbone = (keras.Variable(np.ones(3, np.float32), name="kernel") for _ in range(2))
    plan = TrainingPlan(complete({"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "backbone_rate": 0.1}))

    make_optimizer(plan, n_steps=1, backbone=[backbone]).apply([keras.ops.ones(3)] * 2, [head, backbone])

    np.testing.assert_allclose(np.asarray(head.value), 0.5)
    np.testing.assert_allclose(np.asarray(backbone.value), 0.95)


def one_step(**knobs: KnobValue) -> dict[str, Any]:
    """Return by how much one training step changes each weight of a network."""
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential([
        keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 3, name="conv"), keras.layers.BatchNormalization(name="norm"),
        keras.layers.Flatten(), keras.layers.Dense(1, name="dense"),
    ])  # fmt: skip
    before = {weight.path.partition("/")[2]: np.array(weight) for weight in network.trainable_weights}
    network.compile(optimizer=optimizer_of(**knobs), loss="mse")
    numbers = np.random.default_rng(0)
    network.fit(numbers.normal(size=(8, 4, 4, 2)), numbers.normal(size=(8, 1)), verbose=0)
    return {weight.path.partition("/")[2]: np.array(weight) - before[weight.path.partition("/")[2]]
            for weight in network.trainable_weights}  # fmt: skip


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_momentum_is_that_of_sgd_and_rmsprop(name: str, momentum: float) -> None:
    assert optimizer_of(optimizer=name, momentum=momentum).momentum == momentum


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, True)])
def test_sgd_has_nesterov_momentum_where_it_has_momentum(momentum: float, nesterov: bool) -> None:
    assert optimizer_of(optimizer="sgd", momentum=momentum).nesterov is nesterov


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_constant_and_plateau_start_at_the_learning_rate(schedule: str) -> None:
    assert rates_of(schedule, 5) == [0.5] * 5


def test_one_cycle_rises_for_a_quarter_and_falls_to_zero() -> None:
    rates = rates_of("one_cycle", 100)

    assert int(np.argmax(rates)) == 24
    assert rates[24] == pytest.approx(0.5)
    np.testing.assert_allclose(np.diff(rates[:25]), 0.5 / 25, rtol=1e-4)
    np.testing.assert_allclose(np.diff(rates[24:]), -0.5 / 75, rtol=1e-3)
    assert rates[-1] == 0


def test_one_cycle_stays_at_zero_after_its_end() -> None:
    rate = make_learning_rate("one_cycle", 0.5, 100)

    assert float(np.asarray(rate(150))) == 0


def test_cosine_warms_up_for_a_twentieth_and_falls_along_a_half_cosine() -> None:
    rates = rates_of("cosine", 100)

    np.testing.assert_allclose(rates[:6], np.linspace(0, 0.5, 6), atol=1e-6)
    fallen = 0.25 * (1 + np.cos(np.pi * np.arange(95) / 95))
    np.testing.assert_allclose(rates[5:], fallen, atol=1e-6)


def test_linear_warms_up_for_a_twentieth_and_falls_to_zero() -> None:
    rates = rates_of("linear", 101)

    np.testing.assert_allclose(rates[:5], np.linspace(0.1, 0.5, 5), rtol=1e-4)
    np.testing.assert_allclose(rates[5:], 0.5 * (1 - np.arange(5, 101) / 101) / (1 - 5 / 101), rtol=1e-4)
    assert float(np.asarray(make_learning_rate("linear", 0.5, 101)(101))) == 0


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "linear"])
def test_rate_goes_by_the_share_of_the_schedule_whatever_the_steps(schedule: str) -> None:
    position = position_variable(1000)
    rate = make_learning_rate(schedule, 0.5, 1000, position)

    set_position(position, ((30, 0.2), (40, 0.7)))

    evenly = make_learning_rate(schedule, 0.5, 1000)
    assert float(np.asarray(rate(34))) == pytest.approx(float(np.asarray(evenly(400))), abs=0.04)
    set_position(position, ((40, 0.7), (43, 1.0)))
    assert float(np.asarray(rate(43))) == float(np.asarray(rate(99))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_schedules_of_few_steps_stay_between_zero_and_the_peak(schedule: str, n_steps: int) -> None:
    rates = np.array(rates_of(schedule, n_steps))

    assert np.isfinite(rates).all()
    assert rates.min() >= 0
    assert rates.max() <= 0.5


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n_steps", [1, 2, 3, 10])
def test_schedules_of_few_steps_train_at_all(schedule: str, n_steps: int) -> None:
    assert max(rates_of(schedule, n_steps)) > 0


def test_schedule_of_the_optimizer_spans_all_steps() -> None:
    optimizer = optimizer_of(optimizer="sgd", learning_rate=0.5, learning_rate_schedule="one_cycle")
    rates = []
    for step in (0, 24, 99):
        optimizer.iterations.assign(step)
        rates.append(float(np.asarray(optimizer.learning_rate)))

    assert rates == pytest.approx([0.02, 0.5, 0.0])


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"optimizer": "sdg"}, "optimizer must be known, got 'sdg'; did you mean 'sgd'?"),
        (
            {"learning_rate_schedule": "onecycle"},
            "learning_rate_schedule must be known, got 'onecycle'; did you mean 'one_cycle'?",
        ),
    ],
    ids=["optimizer", "schedule"],
)
@pytest.mark.parametrize("n_steps", [1, 100])
def test_unknown_names_are_refused(knobs: dict[str, KnobValue], message: str, n_steps: int) -> None:
    with pytest.raises(SettingError) as caught:
        make_optimizer(TrainingPlan(complete(knobs)), n_steps=n_steps)

    assert str(caught.value) == message
