"""Which knobs have an effect, given the others."""

from __future__ import annotations

import pytest

from pipeline.knobs.conditions import has_effect
from pipeline.knobs.table import KNOBS, KnobValue, complete


@pytest.mark.parametrize(
    ("name", "without", "with_effect"),
    [
        ("fc_units", {"fc_depth": 0}, {"fc_depth": 1}),
        ("fc_dropout", {"fc_depth": 0}, {"fc_depth": 1}),
        ("fc_growth", {"fc_depth": 1}, {"fc_depth": 2}),
        ("filter_growth", {"blocks": 1}, {"blocks": 2}),
        ("filter_growth", {"filter_pattern": "inside_block"}, {"filter_pattern": "inside_block", "convs_per_block": 2}),
        ("filter_pattern", {"backbone": "VGG16"}, {}),
        ("batch_norm_momentum", {"batch_norm": False}, {"batch_norm": True}),
        ("batch_norm_bias_rate", {"batch_norm": False}, {"batch_norm": True}),
        ("momentum", {"optimizer": "adamw"}, {"optimizer": "sgd"}),
        ("alternating_flip", {"augmentation": "shifts"}, {"augmentation": "heavy"}),
        ("alternating_flip", {"augmentation": "shifts"}, {"horizontal_flip": True}),
        ("plateau_factor", {}, {"learning_rate_schedule": "plateau"}),
        ("early_stopping_monitor", {}, {"early_stopping_patience": 3}),
        ("unfrozen_blocks", {}, {"backbone": "VGG16"}),
        ("backbone_rate", {"unfrozen_blocks": 1}, {"unfrozen_blocks": 1, "backbone": "VGG16"}),
        ("backbone_rate", {"backbone": "VGG16"}, {"unfrozen_blocks": 1, "backbone": "VGG16"}),
        ("blocks", {"backbone": "VGG16"}, {}),
        ("scaling", {"backbone": "VGG16"}, {}),
    ],
)
def test_knob_has_an_effect_only_where_nothing_switches_it_off(
    name: str, without: dict[str, KnobValue], with_effect: dict[str, KnobValue]
) -> None:
    assert not has_effect(name, complete(without))
    assert has_effect(name, complete(with_effect))


def test_knobs_without_a_condition_always_have_an_effect() -> None:
    idle = {name for name in KNOBS if not has_effect(name, complete({}))}

    assert idle == {
        "fc_units", "fc_growth", "fc_dropout", "momentum", "backbone_weights", "unfrozen_blocks", "backbone_rate",
        "alternating_flip", "plateau_monitor", "plateau_factor", "plateau_patience", "plateau_cooldown",
        "plateau_min_learning_rate",
        "early_stopping_monitor", "early_stopping_min_delta",
    }  # fmt: skip
