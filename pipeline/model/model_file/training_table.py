"""What a hand-made model may state of its training: the knobs that are not the network's."""

from __future__ import annotations

from pipeline.knobs.table import KNOBS

# A knob of the network says nothing here, where the layers are listed.
NETWORK_KNOBS = tuple(name for name, knob in KNOBS.items() if knob.part in ("blocks", "network", "backbone"))
TRAINING = {name: knob for name, knob in KNOBS.items() if name not in NETWORK_KNOBS}

# Knobs without effect unless another one is given too, and how that one must read (None: anyhow).
NEEDED = {
    "early_stopping_monitor": ("early_stopping_patience", None),
    **{name: ("learning_rate_schedule", "plateau") for name in TRAINING if name.startswith("plateau_")},
}
