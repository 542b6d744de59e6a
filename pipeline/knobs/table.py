"""The table of all knobs: one row a knob; what it does is written at the one place where it acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.knobs.values import Values

KnobValue = bool | int | float | str
Knobs = dict[str, KnobValue]


@dataclass(frozen=True, kw_only=True)
class Knob(Values):
    """One knob: its name, the values that it may take, and the value of a space that leaves it out.

    ``part`` says what it configures: ``blocks`` (of convolutions), ``network`` (the rest of it), ``backbone``,
    ``pixels`` (their scaling), ``images`` or ``training``.
    """

    name: str
    default: KnobValue
    meaning: str
    part: str = ""


def _part(part: str, *rows: Knob) -> tuple[Knob, ...]:
    return tuple(replace(row, part=part) for row in rows)


def _int(name: str, default: int, low: int, high: int, meaning: str) -> Knob:
    return Knob("int", low, high, name=name, default=default, meaning=meaning)


def _float(name: str, default: float, low: float, high: float, meaning: str) -> Knob:
    return Knob("float", low, high, name=name, default=default, meaning=meaning)


def _bool(name: str, default: bool, meaning: str) -> Knob:
    return Knob("bool", name=name, default=default, meaning=meaning)


def _name(name: str, choices: tuple[str, ...], meaning: str) -> Knob:
    """Make a categorical knob; the first of ``choices`` is its default."""
    return Knob("name", choices=choices, name=name, default=choices[0], meaning=meaning)


_ROWS = (
    *_part(
        "blocks",
        _int("blocks", 3, 1, 8, "blocks of convolutions, each closed by a pooling"),
        _int("convs_per_block", 1, 1, 6, "convolutions in a block"),
        _int("last_block_extra_convs", 0, 0, 4, "convolutions that the last block has beyond convs_per_block"),
        _int("filters", 32, 1, 1024, "filters of the first convolution"),
        _float("filter_growth", 2.0, 0.5, 4.0, "factor of the filters from one step of filter_pattern to the next"),
        _name("filter_pattern", ("between_blocks", "inside_block"),
              "where filters grow: from block to block, or from convolution to convolution, anew in each block"),
        _int("kernel_size", 3, 1, 11, "side of the convolution kernels, in pixels"),
        _bool("batch_norm", True, "batch normalization between convolution and activation"),
        _float("batch_norm_momentum", 0.9, 0.0, 0.9999, "momentum of the moving averages of batch normalization"),
    ),
    *_part(
        "network",
        _name("activation", ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh"), "activation function"),
        _name("kernel_initializer", ("he_normal", "he_uniform", "glorot_uniform", "glorot_normal", "lecun_normal"),
              "distribution that the kernels start from"),
    ),
    *_part(
        "blocks",
        _name("pooling", ("max", "average", "strided"), "2x2 pooling, or a last convolution of stride 2 in its place"),
        _bool("pool_first", False, "pooling before normalization and activation of its convolution: less work"),
        _float("dropout_before_pool", 0.0, 0.0, 0.95, "dropout above the last pooling: where each later block starts"),
    ),
    *_part(
        "network",
        _float("dropout_after_pool", 0.0, 0.0, 0.95, "dropout below the last pooling"),
        _name("head", ("global_average", "global_max", "flatten"), "how the last feature maps become a vector"),
        _int("fc_depth", 0, 0, 5, "dense (fully connected) layers before the classes"),
        _int("fc_units", 128, 1, 8192, "units of the first dense layer"),
        _float("fc_growth", 1.0, 0.1, 4.0, "factor of the units from one dense layer to the next"),
        _float("fc_dropout", 0.0, 0.0, 0.95, "dropout after each dense layer"),
        _name("output", ("softmax", "sigmoid"), "a probability a class; or, for two classes, one unit for the second"),
    ),
    *_part(
        "backbone",
        _name("backbone", ("none", "VGG16", "InceptionV3", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetV2B0"),
              "network of keras.applications below the head; its own preprocessing takes the place of scaling"),
        _name("backbone_weights", ("imagenet", "random"), "what the backbone starts from"),
        _int("unfrozen_blocks", 0, 0, 11, "last blocks of the backbone that train; 0: it is frozen"),
    ),
    *_part(
        "pixels",
        _name("scaling", ("zero_one", "standard", "min_max", "min_max_per_channel"),
              "pixels scaled to 0..1, to mean 0 and deviation 1 a channel, or by the least and greatest of them"),
    ),
    *_part(
        "images",
        _int("image_size", 0, 0, 4096, "side in pixels that images are resized to; 0: as they are (photographs: 96)"),
        _name("augmentation", ("none", "shifts", "flips_and_shifts", "heavy"),
              "random changes to training images; heavy adds larger shifts, contrast and erased squares"),
        # Ranges of further changes; where the preset has the same one, the larger counts.
        _float("rotation_degrees", 0.0, 0.0, 180.0, "training images turned by up to so much, either way"),
        _float("width_shift", 0.0, 0.0, 0.5, "training images moved across by up to this share of the width"),
        _float("height_shift", 0.0, 0.0, 0.5, "training images moved up or down by up to this share of the height"),
        _float("shear_degrees", 0.0, 0.0, 80.0, "training images sheared by up to this angle, either way"),
        _float("zoom", 0.0, 0.0, 0.9, "training images resized along each axis: 0.2 shows 0.8 to 1.2 of it"),
        _bool("horizontal_flip", False, "training images mirrored left and right, every other one"),
        _float("brightness", 0.0, 0.0, 1.0, "training images made brighter or darker: 0.5 multiplies by 0.5 to 1.5"),
    ),
    *_part(
        "training",
        _int("batch_size", 128, 1, 8192, "images a training step"),
        _name("optimizer", ("adam", "adamw", "sgd", "rmsprop"), "optimizer; sgd has Nesterov momentum"),
        _float("learning_rate", 0.001, 1e-7, 10.0, "learning rate; the peak, where there is a schedule"),
        _name("learning_rate_schedule", ("constant", "cosine", "one_cycle", "plateau"),
              "course of the learning rate: cosine has a warm-up, plateau reduces it when its monitor stands still"),
        _name("plateau_monitor", ("val_loss", "val_accuracy", "loss", "accuracy"), "what plateau watches"),
        _float("plateau_factor", 0.2, 0.001, 0.999, "plateau multiplies the learning rate by this"),
        _int("plateau_patience", 3, 1, 10_000, "epochs without a better plateau_monitor before plateau acts"),
        _int("plateau_cooldown", 0, 0, 10_000, "epochs after it acted that plateau does not count"),
        _float("plateau_min_learning_rate", 0.0, 0.0, 10.0, "plateau goes no lower"),
        _float("weight_decay", 0.0, 0.0, 1.0, "decoupled weight decay; adam and rmsprop have it too"),
        _float("momentum", 0.9, 0.0, 0.999, "momentum of sgd and rmsprop"),
        _float("label_smoothing", 0.0, 0.0, 0.9, "share of each label spread over all classes"),
        _bool("class_weights", False, "training images weigh in the loss by how rare their class is"),
        _int("epochs", 10, 1, 10_000, "most epochs; the schedule spans them"),
        _int("early_stopping_patience", 0, 0, 10_000, "epochs without a better metric that end a trial; 0: never"),
        _name("early_stopping_monitor", ("auto", "val_accuracy", "val_loss", "accuracy", "loss"),
              "the metric that patience waits for; auto: the one that the study optimizes"),
    ),
)  # fmt: skip

KNOBS = {knob.name: knob for knob in _ROWS}


def parse_knobs(texts: Mapping[str, str]) -> Knobs:
    """Return the knobs among ``texts``, which were written by ``str``, in their own types."""
    return {name: _parse(KNOBS[name], text) for name, text in texts.items() if name in KNOBS}


def _parse(knob: Knob, text: str) -> KnobValue:
    if knob.kind == "bool":
        return text == "True"
    return text if knob.kind == "name" else knob.cast(float(text))


def complete(values: Knobs) -> Knobs:
    """Return all knobs in the table's order: ``values``, and the defaults of those that it leaves out."""
    return {name: knob.cast(values.get(name, knob.default)) for name, knob in KNOBS.items()}


class KnobView:
    """Base of what is made of knobs: each of them is an attribute, in its own type."""

    knobs: Knobs

    def __getattr__(self, name: str) -> Any:
        """Return the value of the knob called ``name``."""
        if name in KNOBS:
            return self.knobs[name]
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}', and there is no such knob")
