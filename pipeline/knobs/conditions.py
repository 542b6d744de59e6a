"""Conditions under which a knob has an effect: some knobs configure what another one has switched off."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.knobs.table import KNOBS, Knobs

_WITH_FLIPS = ("flips_and_shifts", "heavy")  # of the knob augmentation

_CONDITIONS: dict[str, Callable[[Knobs], bool]] = {
    "fc_units": lambda knobs: int(knobs["fc_depth"]) > 0,
    "fc_growth": lambda knobs: int(knobs["fc_depth"]) > 1,
    "fc_dropout": lambda knobs: int(knobs["fc_depth"]) > 0,
    "filter_growth": lambda knobs: _growth_steps(knobs) > 1,
    "batch_norm_momentum": lambda knobs: bool(knobs["batch_norm"]),
    "batch_norm_bias_rate": lambda knobs: bool(knobs["batch_norm"]),
    "alternating_flip": lambda knobs: bool(knobs["horizontal_flip"]) or knobs["augmentation"] in _WITH_FLIPS,
    "momentum": lambda knobs: knobs["optimizer"] in ("sgd", "rmsprop"),
    **{
        name: lambda knobs: int(knobs["early_stopping_patience"]) > 0
        for name in ("early_stopping_monitor", "early_stopping_min_delta")
    },
    "backbone_weights": lambda knobs: knobs["backbone"] != "none",
    "unfrozen_blocks": lambda knobs: knobs["backbone"] != "none",
    "backbone_rate": lambda knobs: knobs["backbone"] != "none" and int(knobs["unfrozen_blocks"]) > 0,
    **{
        name: lambda knobs: knobs["learning_rate_schedule"] == "plateau"
        for name in KNOBS
        if name.startswith("plateau_")
    },
}


def has_effect(name: str, knobs: Knobs) -> bool:
    """Tell whether another value of the knob ``name`` would change the training that ``knobs`` describe."""
    if KNOBS[name].part in ("blocks", "pixels") and knobs["backbone"] != "none":
        return False
    return name not in _CONDITIONS or _CONDITIONS[name](knobs)


def _growth_steps(knobs: Knobs) -> int:
    """Return how many numbers of filters there are."""
    if knobs["filter_pattern"] == "between_blocks":
        return int(knobs["blocks"])
    return int(knobs["convs_per_block"]) + int(knobs["last_block_extra_convs"])
