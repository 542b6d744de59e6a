"""The table of all knobs, one row each; every knob acts in one place of the code."""

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
        _bool("whitening", False,
              "whiten 2x2 patches of pixels before the first block, by a frozen convolution fitted on training images"),
        _int("blocks", 3, 1, 8, "number of convolutional blocks, each ended by a pooling"),
        _int("convs_per_block", 1, 1, 6, "convolutions per block"),
        _int("last_block_extra_convs", 0, 0, 4, "additional convolutions in the last block"),
        _int("filters", 32, 1, 1024, "filters of the first convolution"),
        _float("filter_growth", 2.0, 0.5, 4.0, "factor by which filters grow at each step of filter_pattern"),
        _name("filter_pattern", ("between_blocks", "inside_block"),
              "where filters grow: from block to block, or from convolution to convolution within each block"),
        _int("kernel_size", 3, 1, 11, "side of the convolution kernels in pixels"),
        _name("padding", ("same", "valid"),
              "padding of the convolutions: same keeps the size of the maps, valid pads nothing while the kernel fits"),
        _bool("batch_norm", True, "batch normalization between convolution and activation"),
        _float("batch_norm_momentum", 0.9, 0.0, 0.9999, "momentum of the moving averages of batch normalization"),
    ),
    *_part(
        "network",
        _name("activation", ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh"), "activation function"),
        _name("kernel_initializer",
              ("he_normal", "he_uniform", "glorot_uniform", "glorot_normal", "lecun_normal", "dirac"),
              "initializer of the kernels; dirac: convolutions begin by copying their input, the rest as he_normal"),
    ),
    *_part(
        "blocks",
        _name("pooling", ("max", "average", "strided"), "pooling, or a stride of pool_size in the last convolution"),
        _int("pool_size", 2, 2, 8, "side in pixels of what is pooled into one"),
        _bool("pool_first", False, "pool before normalization and activation, which is cheaper"),
        _float("dropout_before_pool", 0.0, 0.0, 0.95,
               "dropout rate between blocks; of a single block, before its pooling"),
    ),
    *_part(
        "network",
        _float("dropout_after_pool", 0.0, 0.0, 0.95, "dropout rate after the last pooling"),
        _name("head", ("global_average", "global_max", "flatten"), "how the last feature maps are reduced to a vector"),
        _int("fc_depth", 0, 0, 5, "number of dense (fully connected) layers before the output"),
        _int("fc_units", 128, 1, 8192, "units of the first dense layer"),
        _float("fc_growth", 1.0, 0.1, 4.0, "factor by which units grow from one dense layer to the next"),
        _float("fc_dropout", 0.0, 0.0, 0.95, "dropout rate after each dense layer"),
        _name("output", ("softmax", "sigmoid"), "one unit per class, or for two classes one sigmoid unit"),
    ),
    *_part(
        "backbone",
        _name("backbone",
              ("none", "VGG16", "InceptionV3", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetV2B0",
               "EfficientNetLite0", "EfficientNetLite1", "EfficientNetLite2"),
              "pretrained network before the head; its own preprocessing replaces scaling"),
        _name("backbone_weights", ("imagenet", "random"), "initial weights of the backbone"),
        _int("unfrozen_blocks", 0, 0, 11, "number of last blocks of the backbone that are trained; 0: it is frozen"),
        _float("backbone_rate", 1.0, 1e-4, 1.0, "factor of the learning rate for the blocks of the backbone"),
    ),
    *_part(
        "pixels",
        _name("scaling", ("zero_one", "standard", "min_max", "min_max_per_channel"),
              "pixel scaling: to 0..1, to mean 0 and deviation 1 per channel, or by minimum and maximum"),
    ),
    *_part(
        "images",
        _int("image_size", 0, 0, 4096, "side in pixels that images are resized to; 0: not resized (photographs: 96)"),
        _name("augmentation", ("none", "shifts", "flips_and_shifts", "heavy"),
              "augmentation preset for training images; heavy adds larger shifts, contrast and random erasing"),
        # Ranges of further changes; where the preset has the same one, the larger range applies.
        _float("rotation_degrees", 0.0, 0.0, 180.0, "largest random rotation of training images, either way"),
        _float("width_shift", 0.0, 0.0, 0.5, "largest random shift of training images, as a share of the width"),
        _float("height_shift", 0.0, 0.0, 0.5, "largest random shift of training images, as a share of the height"),
        _float("shear_degrees", 0.0, 0.0, 80.0, "largest random shear of training images, either way"),
        _float("zoom", 0.0, 0.0, 0.9, "random zoom of training images along each axis: 0.2 is a factor of 0.8 to 1.2"),
        _bool("horizontal_flip", False, "random horizontal flip of training images, with probability 0.5"),
        _bool("alternating_flip", False,
              "flip each training image in every other epoch, and not at random, where augmentation flips"),
        _float("brightness", 0.0, 0.0, 1.0, "random brightness of training images: 0.5 is a factor of 0.5 to 1.5"),
        _bool("mirrored_prediction", False,
              "predict the mean over an image and its mirror image: twice the time of validation and of an answer"),
    ),
    *_part(
        "training",
        _int("batch_size", 128, 1, 8192, "images per training step"),
        _name("optimizer", ("adam", "adamw", "sgd", "rmsprop"), "optimizer; sgd has Nesterov momentum"),
        _float("learning_rate", 0.001, 1e-7, 10.0, "learning rate; with a schedule, its peak"),
        _float("batch_norm_bias_rate", 1.0, 1.0, 256.0,
               "factor of the learning rate for the biases of batch normalization"),
        _name("learning_rate_schedule", ("constant", "cosine", "one_cycle", "plateau", "linear"),
              "cosine and linear have a warm-up; plateau reduces the rate when plateau_monitor stops improving"),
        _name("plateau_monitor", ("val_loss", "val_accuracy", "loss", "accuracy"), "metric that plateau monitors"),
        _float("plateau_factor", 0.2, 0.001, 0.999, "factor by which plateau multiplies the learning rate"),
        _int("plateau_patience", 3, 1, 10_000, "epochs without improvement before plateau reduces the learning rate"),
        _int("plateau_cooldown", 0, 0, 10_000, "epochs after a reduction during which plateau does not count"),
        _float("plateau_min_learning_rate", 0.0, 0.0, 10.0, "lower bound of the learning rate for plateau"),
        _float("weight_decay", 0.0, 0.0, 1.0, "decoupled weight decay, also of adam and rmsprop"),
        _float("momentum", 0.9, 0.0, 0.999, "momentum of sgd and rmsprop"),
        _float("label_smoothing", 0.0, 0.0, 0.9, "share of each label that is spread over all classes"),
        _bool("class_weights", False, "weight the loss inversely to the frequency of the class"),
        _int("epochs", 10, 1, 100_000, "maximum number of epochs; the schedule spans them"),
        _int("steps_per_epoch", 0, 0, 100_000,
             "training steps of an epoch, over several passes or a part of one; 0: once over the training images"),
        _int("early_stopping_patience", 0, 0, 10_000, "epochs without improvement before training stops; 0: never"),
        _name("early_stopping_monitor", ("auto", "val_accuracy", "val_loss", "accuracy", "loss"),
              "metric that early stopping monitors; auto: the metric that the study optimizes"),
        _float("early_stopping_min_delta", 0.0, 0.0, 10.0,
               "by how much an epoch must better the best one, to count as an improvement for early stopping"),
    ),
)  # fmt: skip

KNOBS = {knob.name: knob for knob in _ROWS}


def parse_knobs(texts: Mapping[str, str]) -> Knobs:
    """Return the knobs among ``texts``, which are the ``str`` of their values, in their own types."""
    return {name: _parse(KNOBS[name], text) for name, text in texts.items() if name in KNOBS}


def _parse(knob: Knob, text: str) -> KnobValue:
    if knob.kind == "bool":
        return text == "True"
    return text if knob.kind == "name" else knob.cast(float(text))


def complete(values: Knobs) -> Knobs:
    """Return all knobs in the table's order: ``values``, and the defaults of those that it leaves out."""
    return {name: knob.cast(values.get(name, knob.default)) for name, knob in KNOBS.items()}


class KnobView:
    """Base of classes that hold knobs: each knob is an attribute, in its own type."""

    knobs: Knobs

    def __getattr__(self, name: str) -> Any:
        """Return the value of the knob called ``name``."""
        if name in KNOBS:
            return self.knobs[name]
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}', and there is no such knob")
