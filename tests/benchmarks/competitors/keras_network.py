"""The peers' network in plain Keras, as their users would write it: from knobs to a compiled model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.data.whitening import PATCH_SIDE, n_whitening_filters
from pipeline.knobs.table import KNOBS, Knobs
from pipeline.model.mirrored import predict_mirrored

_SUPPORTED = {
    "blocks", "convs_per_block", "last_block_extra_convs", "filters", "filter_growth", "filter_pattern", "kernel_size",
    "batch_norm", "batch_norm_momentum", "activation", "kernel_initializer", "pool_first", "dropout_before_pool",
    "dropout_after_pool", "head", "fc_depth", "fc_units", "fc_growth", "fc_dropout", "augmentation", "batch_size",
    "optimizer", "momentum", "learning_rate", "learning_rate_schedule", "weight_decay", "label_smoothing", "epochs",
    "early_stopping_patience", "whitening", "mirrored_prediction", "alternating_flip",
}  # fmt: skip


def check_knobs(knobs: Knobs) -> None:
    """Raise ValueError where the network or its training cannot express the knobs."""
    unknown = [name for name, value in knobs.items() if name not in _SUPPORTED and value != KNOBS[name].default]
    if unknown:
        raise ValueError(f"the peers' Keras code knows nothing of {', '.join(unknown)}; teach it, or set the defaults")


def build_network(knobs: Knobs, *, input_shape: tuple[int, ...], n_classes: int) -> Any:
    """Return the network, uncompiled; it takes raw uint8 pixels and gives probabilities.

    A whitening layer still needs its weights.
    """
    import keras

    check_knobs(knobs)
    layers = keras.layers
    network = keras.Sequential([keras.Input(input_shape), layers.Rescaling(1 / 255)])
    if knobs["whitening"]:
        n_filters = n_whitening_filters(input_shape)
        network.add(layers.Conv2D(n_filters, PATCH_SIDE, padding="same", trainable=False, name="whitening"))
        network.add(layers.Activation(knobs["activation"]))
    side, n_blocks = min(input_shape[:2]), int(knobs["blocks"])
    for block in range(n_blocks):
        is_last = block == n_blocks - 1
        pools = side >= 2 and not (is_last and knobs["head"] != "flatten")
        if block > 0 and knobs["dropout_before_pool"]:
            network.add(layers.Dropout(knobs["dropout_before_pool"]))
        _add_block(network, knobs, block, is_last=is_last, pools=pools)
        side = side // 2 if pools else side
    if knobs["dropout_after_pool"]:
        network.add(layers.Dropout(knobs["dropout_after_pool"]))
    _add_classifier(network, knobs, n_classes)
    return predict_mirrored(network) if knobs["mirrored_prediction"] else network


def _add_block(network: Any, knobs: Knobs, block: int, *, is_last: bool, pools: bool) -> None:
    import keras

    layers = keras.layers
    n_convs = int(knobs["convs_per_block"]) + (int(knobs["last_block_extra_convs"]) if is_last else 0)
    for conv in range(n_convs):
        step = conv if knobs["filter_pattern"] == "inside_block" else block
        ends_block = pools and conv == n_convs - 1
        network.add(_convolution(knobs, step))
        if ends_block and knobs["pool_first"]:
            network.add(layers.MaxPooling2D())
        if knobs["batch_norm"]:
            network.add(layers.BatchNormalization(momentum=knobs["batch_norm_momentum"]))
        network.add(layers.Activation(knobs["activation"]))
        if ends_block and not knobs["pool_first"]:
            network.add(layers.MaxPooling2D())


def _convolution(knobs: Knobs, step: int) -> Any:
    import keras

    filters = max(1, round(knobs["filters"] * knobs["filter_growth"] ** step))
    initializer, has_bias = knobs["kernel_initializer"], not knobs["batch_norm"]
    return keras.layers.Conv2D(
        filters, knobs["kernel_size"], padding="same", use_bias=has_bias, kernel_initializer=initializer
    )


def _add_classifier(network: Any, knobs: Knobs, n_classes: int) -> None:
    import keras

    layers = keras.layers
    heads = {"flatten": layers.Flatten, "global_max": layers.GlobalMaxPooling2D,
             "global_average": layers.GlobalAveragePooling2D}  # fmt: skip
    network.add(heads[str(knobs["head"])]())
    for depth in range(int(knobs["fc_depth"])):
        units = max(1, round(knobs["fc_units"] * knobs["fc_growth"] ** depth))
        network.add(layers.Dense(units, activation=knobs["activation"], kernel_initializer=knobs["kernel_initializer"]))
        if knobs["fc_dropout"]:
            network.add(layers.Dropout(knobs["fc_dropout"]))
    network.add(layers.Dense(n_classes, activation="softmax", dtype="float32"))


def compile_network(network: Any, knobs: Knobs, *, n_steps: int, steps_per_execution: int = 1) -> Any:
    """Compile the network for a training of ``n_steps`` steps, which its learning rate schedule spans."""
    import keras

    rate = knobs["learning_rate"]
    if knobs["learning_rate_schedule"] == "one_cycle":
        rate = one_cycle(float(rate), n_steps)
    elif knobs["learning_rate_schedule"] == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, n_steps)
    network.compile(
        optimizer=_optimizer(knobs, rate),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=knobs["label_smoothing"]),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return network


def _optimizer(knobs: Knobs, rate: Any) -> Any:
    import keras

    kinds: Mapping[str, Any] = {
        "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
    }  # fmt: skip
    momentum = {"momentum": knobs["momentum"], "nesterov": True} if knobs["optimizer"] == "sgd" else {}
    return kinds[str(knobs["optimizer"])](rate, weight_decay=knobs["weight_decay"] or None, **momentum)


def one_cycle(peak: float, n_steps: int) -> Any:
    """Return a learning rate that rises linearly to ``peak`` in a quarter of the steps, then falls linearly to zero."""
    import keras

    rise = max(1, math.floor(n_steps / 4))
    fall = max(1, n_steps - rise)

    class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            done = keras.ops.cast(step, "float32") + 1
            return peak * keras.ops.clip(keras.ops.minimum(done / rise, (n_steps - done) / fall), 0.0, 1.0)

        def get_config(self) -> dict[str, float]:
            return {"peak": peak, "n_steps": n_steps}

    return OneCycle()
