"""From an architecture to a Keras network that takes raw pixels and gives class probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.data.scaling import Scaling
from pipeline.data.whitening import PATCH_SIDE, n_whitening_filters
from pipeline.errors import SettingError, did_you_mean
from pipeline.model.architecture import Architecture, Block
from pipeline.model.dirac import set_identities

LayerSpec = tuple[str, str, dict[str, Any]]
"""A layer before it is built: its Keras class, its name, its arguments."""

_POOLINGS = {"max": "MaxPooling{}D", "average": "AveragePooling{}D"}
_HEADS = {"global_average": "GlobalAveragePooling{}D", "global_max": "GlobalMaxPooling{}D", "flatten": "Flatten"}


def build_network(architecture: Architecture, *, precision: str = "float32") -> Any:
    """Build the network, uncompiled.

    It takes raw images of shape (n, *input_shape), uint8 or float, scales them itself, and returns probabilities of
    shape (n, n_classes) in float32; with the output ``sigmoid``, those of the second class, of shape (n, 1).
    ``precision`` is a Keras dtype policy name.
    """
    import keras

    network = keras.Sequential([keras.Input(architecture.input_shape, name="pixels")], name="network")
    add_layers(network, network_layers(architecture), precision)
    if architecture.kernel_initializer == "dirac":
        set_identities(network)
    if architecture.fitted_whitening is not None:
        whitening = architecture.fitted_whitening
        network.get_layer("whitening").set_weights([whitening.kernel, whitening.bias])
    return network


def add_layers(network: Any, layers: Iterable[LayerSpec], precision: str) -> None:
    """Build layers and add them to a network, in float32 those of the probabilities.

    The network is built once with all of them: left alone, Keras builds all that it has again with each.
    """
    import keras

    specs = list(layers)
    for number, (kind, name, arguments) in enumerate(specs, start=1):
        policy = "float32" if name == "probabilities" else precision
        layer = getattr(keras.layers, kind)(**arguments, name=name, dtype=policy)
        network.add(layer, rebuild=number == len(specs))


def network_layers(architecture: Architecture) -> Iterator[LayerSpec]:
    """Yield the layers from raw pixels to the probabilities."""
    yield scaling_layer(architecture.pixel_scaling)
    if architecture.whitens:
        yield from _whitening(architecture)
    for number, block in enumerate(architecture.planned_blocks(), start=1):
        if number > 1:
            yield from dropout(architecture.dropout_before_pool, f"block{number}_dropout")
        yield from _block(architecture, block, number)
    yield from dropout(architecture.dropout_after_pool, "dropout_after_pool")
    yield head_layer(architecture)
    yield from classifier_layers(architecture)


def _whitening(architecture: Architecture) -> Iterator[LayerSpec]:
    arguments = {
        "filters": n_whitening_filters(architecture.input_shape),
        "kernel_size": PATCH_SIDE,
        "strides": 1,
        "padding": "same",
        "use_bias": True,
        "trainable": False,
    }
    yield f"Conv{architecture.rank}D", "whitening", arguments
    yield "Activation", f"whitening_{architecture.activation}", {"activation": architecture.activation}


def _block(architecture: Architecture, block: Block, number: int) -> Iterator[LayerSpec]:
    is_strided = block.pools and architecture.pooling == "strided"
    closing = list(_closing_layers(architecture, number)) if block.pools and not is_strided else []
    for place, (filters, padding) in enumerate(zip(block.filters, block.paddings, strict=True), start=1):
        is_last = place == len(block.filters)
        own = {
            "filters": filters,
            "padding": padding,
            "strides": architecture.pool_size if is_last and is_strided else 1,
        }
        yield _convolution(architecture, own, f"block{number}_conv{place}")
        if is_last and architecture.pool_first:
            yield from closing
        yield from _normalized_activation(architecture, f"block{number}_{place}")
    if not architecture.pool_first:
        yield from closing


def _closing_layers(architecture: Architecture, number: int) -> Iterator[LayerSpec]:
    """Yield the pooling, and before it the dropout that no later block can start with."""
    if architecture.blocks == 1:
        yield from dropout(architecture.dropout_before_pool, f"block{number}_dropout")
    arguments = {"pool_size": architecture.pool_size}
    yield _POOLINGS[architecture.pooling].format(architecture.rank), f"block{number}_pool", arguments


def _convolution(architecture: Architecture, own: dict[str, Any], name: str) -> LayerSpec:
    arguments = {
        **own,
        "kernel_size": architecture.kernel_size,
        "use_bias": not architecture.batch_norm,
        "kernel_initializer": architecture.random_initializer,
    }
    return f"Conv{architecture.rank}D", name, arguments


def _normalized_activation(architecture: Architecture, name: str) -> Iterator[LayerSpec]:
    if architecture.batch_norm:
        yield "BatchNormalization", f"{name}_norm", {"momentum": architecture.batch_norm_momentum}
    yield "Activation", f"{name}_{architecture.activation}", {"activation": architecture.activation}


def scaling_layer(scaling: Scaling) -> LayerSpec:
    """Return the layer that scales raw pixels."""
    return "Rescaling", "scaling", {"scale": list(scaling.factor), "offset": list(scaling.offset)}


def head_layer(architecture: Architecture) -> LayerSpec:
    """Return the layer that makes a vector of the last feature maps.

    Raises:
        SettingError: there is no such head.
    """
    head = architecture.head
    if head not in _HEADS:
        raise SettingError(f"head must be known, got '{head}'; {did_you_mean(head, _HEADS)}")
    return _HEADS[head].format(architecture.rank), head, {}


def classifier_layers(architecture: Architecture) -> Iterator[LayerSpec]:
    """Yield the layers from the head's vector to the probabilities."""
    shared = {"activation": architecture.activation, "kernel_initializer": architecture.random_initializer}
    for number, units in enumerate(architecture.dense_units(), start=1):
        yield "Dense", f"fc{number}", {"units": units, **shared}
        yield from dropout(architecture.fc_dropout, f"fc{number}_dropout")
    is_sigmoid = architecture.output == "sigmoid"
    yield "Dense", "classes", {"units": 1 if is_sigmoid else architecture.n_classes}
    yield ("Activation", "probabilities", {"activation": "sigmoid"}) if is_sigmoid else ("Softmax", "probabilities", {})


def dropout(rate: float, name: str) -> Iterator[LayerSpec]:
    """Yield a dropout of ``rate``, a share; none where it is 0."""
    if rate:
        yield "Dropout", name, {"rate": rate}
