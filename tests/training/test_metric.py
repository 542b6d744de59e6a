"""A metric's name and direction travel together."""

from __future__ import annotations

import pytest

from pipeline.errors import SettingError
from pipeline.training.metric import get_metric


@pytest.mark.parametrize(("name", "better", "worse"), [("val_accuracy", 0.9, 0.8), ("val_loss", 0.1, 0.2)])
def test_better_is_what_the_metrics_direction_says(name: str, better: float, worse: float) -> None:
    metric = get_metric(name)

    assert metric.is_better(better, worse)
    assert not metric.is_better(worse, better)
    assert not metric.is_better(better, better)
    assert metric.is_better(worse, None)


def test_nan_is_never_better() -> None:
    assert not get_metric("val_loss").is_better(float("nan"), 1.0)
    assert not get_metric("val_accuracy").is_better(float("nan"), 0.1)


def test_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"got 'val_acuracy'; did you mean 'val_accuracy'\?$"):
        get_metric("val_acuracy")
