"""From an architecture to a Keras network that takes raw pixels and gives class probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.errors import SettingError, did_you_mean
from pipeline.model.architecture import Architecture, Block


def build_network(architecture: Architecture, *, precision: str = "float32") -> Any:
    """Build the network, uncompiled.

    It takes raw images of shape (n, *input_shape), uint8 or float, holds their scaling, and returns probabilities of
    shape (n, n_classes) in float32; or with the output ``sigmoid`` those of the second class, of shape (n, 1).
    ``precision`` is a Keras dtype policy name.
    """
    import keras

    network = keras.Sequential(name="network")
    network.add(keras.Input(architecture.input_shape, name="pixels"))
    for layer in _layers(architecture, precision):
        network.add(layer)
    return network


def _layers(architecture: Architecture, precision: str) -> Iterator[Any]:
    from keras import layers

    scaling = architecture.pixel_scaling
    yield layers.Rescaling(list(scaling.factor), list(scaling.offset), name="scaling", dtype=precision)
    blocks = architecture.planned_blocks()
    for number, block in enumerate(blocks, start=1):
        if number > 1 and architecture.dropout_before_pool:
            yield dropout_layer(architecture.dropout_before_pool, f"block{number}_dropout", precision)
        yield from _block(architecture, block, number, precision)
    if architecture.dropout_after_pool:
        yield dropout_layer(architecture.dropout_after_pool, "dropout_after_pool", precision)
    yield head_layer(architecture, precision)
    yield from classifier_layers(architecture, precision)


def _block(architecture: Architecture, block: Block, number: int, precision: str) -> Iterator[Any]:
    strided = block.pools and architecture.pooling == "strided"
    closing = list(_closing_layers(architecture, number, precision)) if block.pools and not strided else []
    for place, filters in enumerate(block.filters, start=1):
        is_last = place == len(block.filters)
        strides = 2 if is_last and strided else 1
        yield _convolution(architecture, filters, strides, f"block{number}_conv{place}", precision)
        if is_last and architecture.pool_first:
            yield from closing
        yield from _normalized_activation(architecture, f"block{number}_{place}", precision)
    if not architecture.pool_first:
        yield from closing


def _closing_layers(architecture: Architecture, number: int, precision: str) -> Iterator[Any]:
    """Yield the pooling, and the dropout above it where no later block could hold it."""
    if architecture.blocks == 1 and architecture.dropout_before_pool:
        yield dropout_layer(architecture.dropout_before_pool, f"block{number}_dropout", precision)
    yield _pooling(architecture, f"block{number}_pool", precision)


def _convolution(architecture: Architecture, filters: int, strides: int, name: str, precision: str) -> Any:
    from keras import layers

    kind = layers.Conv1D if architecture.rank == 1 else layers.Conv2D
    return kind(
        filters, architecture.kernel_size, strides=strides, padding="same", use_bias=not architecture.batch_norm,
        kernel_initializer=architecture.kernel_initializer, name=name, dtype=precision,
    )  # fmt: skip


def _normalized_activation(architecture: Architecture, name: str, precision: str) -> Iterator[Any]:
    from keras import layers

    if architecture.batch_norm:
        momentum = architecture.batch_norm_momentum
        yield layers.BatchNormalization(momentum=momentum, name=f"{name}_norm", dtype=precision)
    yield layers.Activation(architecture.activation, name=f"{name}_{architecture.activation}", dtype=precision)


def _pooling(architecture: Architecture, name: str, precision: str) -> Any:
    from keras import layers

    kinds = {
        ("max", 2): layers.MaxPooling2D,
        ("average", 2): layers.AveragePooling2D,
        ("max", 1): layers.MaxPooling1D,
        ("average", 1): layers.AveragePooling1D,
    }
    return kinds[architecture.pooling, architecture.rank](2, name=name, dtype=precision)


def head_layer(architecture: Architecture, precision: str) -> Any:
    """Return the layer that makes a vector of the last feature maps.

    Raises:
        SettingError: there is no such head.
    """
    from keras import layers

    kinds = {
        "global_average": {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D},
        "global_max": {1: layers.GlobalMaxPooling1D, 2: layers.GlobalMaxPooling2D},
        "flatten": {1: layers.Flatten, 2: layers.Flatten},
    }
    if architecture.head not in kinds:
        raise SettingError(f"head must be known, got '{architecture.head}'; {did_you_mean(architecture.head, kinds)}")
    return kinds[architecture.head][architecture.rank](name=architecture.head, dtype=precision)


def classifier_layers(architecture: Architecture, precision: str) -> Iterator[Any]:
    """Yield the layers from the head's vector to the probabilities."""
    yield from _dense_layers(architecture, precision)
    yield from _output(architecture, precision)


def _dense_layers(architecture: Architecture, precision: str) -> Iterator[Any]:
    from keras import layers

    for number, units in enumerate(architecture.dense_units(), start=1):
        yield layers.Dense(
            units, activation=architecture.activation, name=f"fc{number}", dtype=precision,
            kernel_initializer=architecture.kernel_initializer,
        )  # fmt: skip
        if architecture.fc_dropout:
            yield dropout_layer(architecture.fc_dropout, f"fc{number}_dropout", precision)


def _output(architecture: Architecture, precision: str) -> Iterator[Any]:
    from keras import layers

    if architecture.output == "sigmoid":
        yield layers.Dense(1, name="classes", dtype=precision)
        yield layers.Activation("sigmoid", name="probabilities", dtype="float32")
    else:
        yield layers.Dense(architecture.n_classes, name="classes", dtype=precision)
        yield layers.Softmax(name="probabilities", dtype="float32")


def dropout_layer(rate: float, name: str, precision: str) -> Any:
    """Return a dropout of ``rate``, a share."""
    from keras import layers

    return layers.Dropout(rate, name=name, dtype=precision)
