"""Training on real digits: each training knob has its effect, and each ending its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from pipeline.data.batches import validation_batches
from pipeline.data.source import Split
from pipeline.evaluation.scores import predict
from pipeline.knobs.table import KNOBS, KnobValue, complete
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric, get_metric
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train

Train = Callable[..., TrainingResult]
TINY: dict[str, KnobValue] = {
    "blocks": 1, "filters": 4, "batch_norm": False, "head": "flatten",
    "batch_size": 64, "learning_rate": 0.01, "epochs": 2,
}  # fmt: skip
PLATEAU: dict[str, KnobValue] = {
    "learning_rate_schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 1,
}  # fmt: skip
STANDING_STILL: dict[str, KnobValue] = {"optimizer": "sgd", "learning_rate": 1e-7, "momentum": 0.0, "epochs": 6}


@pytest.fixture(scope="module")
def train_tiny(digits: Split) -> Train:
    """Return a function that trains a tiny network with the given knobs."""

    def train_with(*, metric: Metric | None = None, seed: int = 0, **values: Any) -> TrainingResult:
        options = ("on_epoch", "on_batch", "on_improvement", "precision")
        passed_on = {name: values.pop(name) for name in options if name in values}
        knobs = complete({**TINY, **values})
        bound = Configuration(knobs).bind(digits)
        return train(
            build=bound.build, plan=TrainingPlan(knobs), data=digits, seed=seed,
            metric=metric or get_metric("val_accuracy"), **passed_on,
        )  # fmt: skip

    return train_with


def same_weights(one: TrainingResult, other: TrainingResult) -> bool:
    return all(
        np.array_equal(*pair) for pair in zip(one.network.get_weights(), other.network.get_weights(), strict=True)
    )


def test_epochs_are_recorded_from_1_with_all_metrics(train_tiny: Train) -> None:
    seen: list[int] = []

    result = train_tiny(epochs=3, on_epoch=lambda epoch: seen.append(epoch.number))

    assert [epoch.number for epoch in result.epochs] == seen == [1, 2, 3]
    for epoch in result.epochs:
        assert list(epoch.metrics()) == [
            "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds",
        ]  # fmt: skip
        assert all(math.isfinite(value) and value >= 0 for value in epoch.metrics().values())
    assert result.ending == Ending(Cause.COMPLETE)


def test_network_learns_the_digits(train_tiny: Train) -> None:
    result = train_tiny(epochs=3)

    assert result.best_epoch is not None
    assert result.best_epoch.val_accuracy > 0.7
    assert result.epochs[-1].loss < result.epochs[0].loss
    assert result.images_per_second > 0


@pytest.mark.parametrize(("batch_size", "n_steps"), [(64, 17), (500, 2), (8192, 1)])
def test_batch_size_sets_the_steps_of_an_epoch(train_tiny: Train, digits: Split, batch_size: int, n_steps: int) -> None:
    result = train_tiny(batch_size=batch_size, epochs=1)

    assert len(digits.train.labels) == 1150
    assert int(np.asarray(result.network.optimizer.iterations)) == n_steps


def test_one_cycle_spans_all_epochs(train_tiny: Train) -> None:
    result = train_tiny(learning_rate_schedule="one_cycle", learning_rate=0.04, epochs=4)

    rates = [epoch.learning_rate for epoch in result.epochs]
    assert rates == pytest.approx([0.04, 0.04 * 2 / 3, 0.04 / 3, 0.0], abs=0.04 / 40)


def test_constant_learning_rate_stays(train_tiny: Train) -> None:
    result = train_tiny(learning_rate=0.004)

    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx([0.004, 0.004])


def test_plateau_reduces_the_learning_rate_where_the_loss_stands_still(train_tiny: Train) -> None:
    result = train_tiny(**STANDING_STILL, learning_rate_schedule="plateau")

    rates = [epoch.learning_rate for epoch in result.epochs]
    assert rates == pytest.approx([1e-7] * 4 + [2e-8] * 2)


def test_plateau_multiplies_by_its_factor_when_its_patience_is_up(train_tiny: Train) -> None:
    result = train_tiny(**{**PLATEAU, **STANDING_STILL}, plateau_monitor="val_accuracy")

    rates = [epoch.learning_rate for epoch in result.epochs]
    assert rates == pytest.approx([1e-7, 1e-7, 5e-8, 2.5e-8, 1.25e-8, 6.25e-9])


def test_plateau_waits_for_its_cooldown(train_tiny: Train) -> None:
    result = train_tiny(**{**PLATEAU, **STANDING_STILL}, plateau_cooldown=2)

    rates = [epoch.learning_rate for epoch in result.epochs]
    assert rates == pytest.approx([1e-7, 1e-7, 5e-8, 5e-8, 2.5e-8, 2.5e-8])


def test_plateau_goes_no_lower_than_its_smallest_rate(train_tiny: Train) -> None:
    result = train_tiny(**{**PLATEAU, **STANDING_STILL}, plateau_min_learning_rate=4e-8)

    rates = [epoch.learning_rate for epoch in result.epochs]
    assert rates == pytest.approx([1e-7, 1e-7, 5e-8, 4e-8, 4e-8, 4e-8])


@pytest.mark.parametrize("monitor", KNOBS["plateau_monitor"].choices)
def test_plateau_leaves_the_rate_where_its_monitor_gets_better(train_tiny: Train, monitor: str) -> None:
    result = train_tiny(**PLATEAU, plateau_monitor=monitor, learning_rate=0.002, epochs=4)

    values = [getattr(epoch, monitor) for epoch in result.epochs]
    assert values == sorted(values, reverse=monitor.endswith("loss")), "it must get better for this test"
    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx([0.002] * 4)


def test_plateau_knobs_do_nothing_for_other_schedules(train_tiny: Train) -> None:
    result = train_tiny(**{**PLATEAU, **STANDING_STILL, "learning_rate_schedule": "constant"})

    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx([1e-7] * 6)


def test_label_smoothing_raises_the_training_loss_and_leaves_validation_plain(train_tiny: Train) -> None:
    result = train_tiny(label_smoothing=0.5, epochs=3)

    least = -0.55 * math.log(0.55) - 9 * 0.05 * math.log(0.05)  # entropy of the smoothed labels
    assert result.epochs[-1].loss > least
    assert result.epochs[-1].val_loss < least


@pytest.fixture(scope="module")
def plain(train_tiny: Train) -> TrainingResult:
    """Return one training with the knobs of TINY."""
    return train_tiny(epochs=1)


@pytest.mark.parametrize(
    "knobs",
    [
        {"augmentation": "shifts"}, {"rotation_degrees": 20.0}, {"width_shift": 0.2}, {"height_shift": 0.2},
        {"shear_degrees": 20.0}, {"zoom": 0.2}, {"horizontal_flip": True}, {"brightness": 0.5},
        {"class_weights": True}, {"scaling": "standard"},
        {"optimizer": "sgd"}, {"weight_decay": 0.1}, {"label_smoothing": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_training_knob_changes_the_weights(
    train_tiny: Train, plain: TrainingResult, knobs: dict[str, KnobValue]
) -> None:
    assert not same_weights(train_tiny(epochs=1, **knobs), plain)


def test_each_epoch_that_is_the_best_so_far_is_told_with_its_network_and_changes_nothing(train_tiny: Train) -> None:
    told: list[tuple[Epoch, list[Any]]] = []
    plain = train_tiny(epochs=4, dropout_after_pool=0.3)

    result = train_tiny(
        epochs=4, dropout_after_pool=0.3,
        on_improvement=lambda epoch, network: told.append((epoch, network.get_weights())),
    )  # fmt: skip

    accuracies = [epoch.val_accuracy for epoch in result.epochs]
    better = [epoch for epoch, best in zip(result.epochs, np.maximum.accumulate([-1, *accuracies]), strict=False)
              if epoch.val_accuracy > best]  # fmt: skip
    assert [epoch for epoch, _ in told] == better
    assert all(map(np.array_equal, told[-1][1], result.network.get_weights()))
    assert same_weights(plain, result)


@pytest.mark.parametrize(("n_steps", "expected"), [(0, 17), (3, 3), (40, 40)])
def test_epoch_has_as_many_steps_as_are_asked_for(train_tiny: Train, n_steps: int, expected: int) -> None:
    result = train_tiny(steps_per_epoch=n_steps)

    assert int(result.network.optimizer.iterations) == 2 * expected
    assert result.steps.steps_per_epoch == expected
    images = result.images_per_second * result.train_seconds
    assert images == pytest.approx(2 * (expected * 64 if n_steps else 1150))


def test_training_ends_early_when_patience_is_up(train_tiny: Train) -> None:
    result = train_tiny(**STANDING_STILL, early_stopping_patience=2)

    assert len(result.epochs) == 3
    assert result.ending == Ending(Cause.EARLY, "no better val_accuracy within 2 epochs")


@pytest.mark.parametrize("monitor", ["val_loss", "accuracy", "loss"])
def test_early_stopping_goes_by_its_monitor(train_tiny: Train, monitor: str) -> None:
    still = {**STANDING_STILL, "batch_size": 1150, "label_smoothing": 0.9}  # the same images and loss in every epoch

    result = train_tiny(**still, early_stopping_patience=2, early_stopping_monitor=monitor)

    assert result.ending == Ending(Cause.EARLY, f"no better {monitor} within 2 epochs")


def test_training_without_patience_runs_to_its_end(train_tiny: Train) -> None:
    result = train_tiny(**{**STANDING_STILL, "epochs": 4}, early_stopping_patience=0)

    assert (len(result.epochs), result.ending) == (4, Ending(Cause.COMPLETE))


@pytest.mark.parametrize("metric", [Metric("val_loss", "maximize"), Metric("val_loss", "minimize")])
def test_network_has_the_weights_of_its_best_epoch(train_tiny: Train, digits: Split, metric: Metric) -> None:
    result = train_tiny(epochs=3, metric=metric)

    choose = max if metric.direction == "maximize" else min
    assert result.best_epoch == choose(result.epochs, key=lambda epoch: epoch.val_loss)
    loss, accuracy = result.network.evaluate(validation_batches(digits.validation, n_outputs=10), verbose=0)
    assert loss == pytest.approx(result.best_epoch.val_loss, rel=1e-4)
    assert accuracy == pytest.approx(result.best_epoch.val_accuracy, abs=1e-6)


def test_validation_images_are_neither_augmented_nor_weighted(train_tiny: Train, digits: Split) -> None:
    result = train_tiny(
        epochs=2, rotation_degrees=90.0, width_shift=0.5, zoom=0.5, brightness=1.0, horizontal_flip=True,
        class_weights=True, label_smoothing=0.3,
    )  # fmt: skip

    assert result.best_epoch is not None
    predictions = predict(result.network, digits.validation.images, digits.validation.labels, digits.images.class_names)
    right = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    assert result.best_epoch.val_loss == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert result.best_epoch.val_accuracy == pytest.approx((predictions.predicted == predictions.labels).mean())


def test_equal_epochs_leave_the_first_the_best(train_tiny: Train) -> None:
    result = train_tiny(**{**STANDING_STILL, "epochs": 3})

    assert {epoch.val_accuracy for epoch in result.epochs} == {result.epochs[0].val_accuracy}
    assert result.best_epoch == result.epochs[0]


@pytest.mark.parametrize("cause", [Cause.PRUNED, Cause.TIME_UP, Cause.PAUSED])
def test_ending_given_after_an_epoch_ends_the_training_with_it(train_tiny: Train, cause: Cause) -> None:
    def end(epoch: Epoch) -> Ending | None:
        return Ending(cause, "below the median") if epoch.number == 2 else None

    result = train_tiny(epochs=5, on_epoch=end)

    assert len(result.epochs) == 2
    assert result.ending == Ending(cause, "below the median")
    assert result.best_epoch is not None


def test_loss_that_is_no_number_ends_the_training(train_tiny: Train) -> None:
    pruned: list[int] = []

    result = train_tiny(optimizer="sgd", learning_rate=1e38, epochs=4, on_epoch=lambda e: pruned.append(e.number))

    assert result.ending.cause is Cause.DIVERGED
    assert result.ending.detail.startswith(("loss became ", "val_loss became "))
    assert result.ending.detail.endswith(f" in epoch {len(result.epochs) + 1}")
    assert len(result.epochs) < 4
    assert len(pruned) == len(result.epochs)


@pytest.mark.parametrize("ending", [Ending(Cause.TIME_UP), Ending(Cause.INTERRUPTED, "by the user")])
@pytest.mark.parametrize("n_finished", [0, 1])
def test_training_stops_between_batches(train_tiny: Train, ending: Ending, n_finished: int) -> None:
    finished: list[int] = []

    def stop(share: float) -> Ending | None:
        return ending if len(finished) == n_finished and share < 1 else None

    result = train_tiny(epochs=3, on_batch=stop, on_epoch=lambda epoch: finished.append(epoch.number))

    assert result.ending == ending
    assert len(result.epochs) == len(finished) == n_finished
    assert (result.best_epoch is None) == (n_finished == 0)
    assert 0 < int(np.asarray(result.network.optimizer.iterations)) - 17 * n_finished < 17


def test_shares_of_the_epoch_end_at_1(train_tiny: Train) -> None:
    shares: list[float] = []

    train_tiny(epochs=1, batch_size=8, on_batch=shares.append)

    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_same_seed_repeats_the_training_and_another_does_not(train_tiny: Train) -> None:
    again = partial(train_tiny, epochs=1, dropout_after_pool=0.2, augmentation="shifts", batch_norm=True)
    first = again()

    assert same_weights(first, again())
    assert not same_weights(first, again(seed=1))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_training_in_mixed_precision_records_its_learning_rate(train_tiny: Train, precision: str) -> None:
    result = train_tiny(epochs=1, precision=precision, learning_rate=0.004)

    assert result.ending.cause is Cause.COMPLETE
    assert result.epochs[0].learning_rate == pytest.approx(0.004)
    assert {weight.dtype for weight in result.network.trainable_weights} == {"float32"}


def test_training_without_validation_keeps_its_last_weights_and_spans_its_epochs(digits: Split) -> None:
    knobs = complete({**TINY, "learning_rate_schedule": "plateau", "plateau_monitor": "val_loss", "epochs": 9,
                      "early_stopping_patience": 1, "early_stopping_monitor": "val_loss"})  # fmt: skip
    configuration = Configuration(knobs).without_validation(3)
    everything = replace(digits, partition=replace(digits.partition, validation=np.arange(0)))

    result = train(
        build=configuration.bind(everything).build, plan=configuration.plan, data=everything, metric=None, seed=0
    )  # fmt: skip

    assert (len(result.epochs), result.ending) == (3, Ending(Cause.COMPLETE))
    assert result.best_epoch == result.epochs[-1]
    assert not result.epochs[-1].is_validated
    accuracy = result.network.evaluate(validation_batches(digits.train, n_outputs=10), verbose=0)[1]
    assert accuracy == pytest.approx(result.epochs[-1].accuracy, abs=0.03), "it has learned from what it was given"
