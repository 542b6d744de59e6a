"""The table of training settings that a hand-made model may state: knobs where there is one, and what documents add."""

from __future__ import annotations

from dataclasses import fields

from pipeline.knobs.table import KNOBS
from pipeline.knobs.values import Values
from pipeline.model.architecture import Architecture
from pipeline.model.hand_made.layer_table import Argument

_METRIC = Argument("name", choices=("val_accuracy", "val_loss"))
_EPOCHS = Argument("int", 0, 10_000)
_BESIDE_KNOBS: dict[str, Values] = {
    "validation_share": Argument("float", 0.001, 0.9),  # of the training images, held out for validation
    "early_stopping_monitor": _METRIC,
    "plateau_monitor": _METRIC,  # standing still, it lowers the learning rate ...
    "plateau_factor": Argument("float", 0.001, 0.999),  # ... by this factor ...
    "plateau_patience": _EPOCHS,  # ... after so many epochs ...
    "plateau_cooldown": _EPOCHS,  # ... and not again for so many
}

# A knob of the network says nothing here, where the layers are listed.
NETWORK_KNOBS = tuple(field.name for field in fields(Architecture) if field.name in KNOBS)
TRAINING: dict[str, Values] = {
    **_BESIDE_KNOBS,
    **{name: knob for name, knob in KNOBS.items() if name not in NETWORK_KNOBS},
}

# Settings without effect unless another one is given too, and how that one must read (None: anyhow).
NEEDED = {
    "early_stopping_monitor": ("early_stopping_patience", None),
    **{name: ("learning_rate_schedule", "plateau") for name in _BESIDE_KNOBS if name.startswith("plateau_")},
}

# Ranges as Keras's ImageDataGenerator took them: a number n stands for a change drawn from -n to n.
AUGMENTATION: dict[str, Values] = {
    "rotation_degrees": Argument("float", 0.0, 180.0),
    "width_shift": Argument("float", 0.0, 1.0),  # share of the width
    "height_shift": Argument("float", 0.0, 1.0),  # share of the height
    "shear": Argument("float", 0.0, 90.0),  # degrees
    "zoom": Argument("float", 0.0, 0.99),  # 0.2: factors from 0.8 to 1.2
    "horizontal_flip": Argument("bool"),
}
BRIGHTNESS = Argument("float", 0.0, 10.0)  # of a list [low, high]: factors
