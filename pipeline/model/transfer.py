"""From an architecture with a backbone to its network: backbone, head, classes; whole, or in two parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.model.architecture import Architecture
from pipeline.model.backbones import build_backbone
from pipeline.model.network import classifier_layers, dropout_layer, head_layer


def build_transfer_network(architecture: Architecture, *, weights: Path | None, precision: str = "float32") -> Any:
    """Build the whole network, uncompiled: raw images in, probabilities of shape (n, n_classes) in float32 out.

    ``weights`` is a file with those of the backbone, or None for random ones; ``precision`` is a Keras dtype policy
    name.

    Raises:
        BackboneError: the weights do not fit the backbone.
    """
    return join(build_frozen_part(architecture, weights=weights, precision=precision), architecture, precision)


def build_frozen_part(architecture: Architecture, *, weights: Path | None, precision: str = "float32") -> Any:
    """Build the part from raw images to the backbone's feature maps.

    Pixels other than those of 0..255 are brought there first.
    """
    import keras

    scaling = architecture.pixel_scaling
    part = keras.Sequential([keras.Input(architecture.input_shape, name="pixels")], name="pixels_to_maps")
    if not scaling.is_identity:
        part.add(keras.layers.Rescaling(list(scaling.factor), list(scaling.offset), name="scaling", dtype=precision))
    part.add(
        build_backbone(
            architecture.backbone, input_shape=architecture.input_shape, weights=weights,
            unfrozen_blocks=architecture.unfrozen_blocks, precision=precision,
        )
    )  # fmt: skip
    return part


def join(part: Any, architecture: Architecture, precision: str = "float32") -> Any:
    """Return the whole network on the layers of ``part``, which it shares, with a head that nobody has trained."""
    import keras

    network = keras.Sequential([keras.Input(architecture.input_shape, name="pixels"), *part.layers], name="network")
    network.add(head_layer(architecture, precision))
    for layer in _layers_above_head(architecture, precision):
        network.add(layer)
    return network


def build_classifier(architecture: Architecture, *, n_features: int, precision: str = "float32") -> Any:
    """Build the part above the head alone, uncompiled: it takes the head's vectors, of shape (n, n_features)."""
    import keras

    network = keras.Sequential([keras.Input((n_features,), name="features")], name="classifier")
    for layer in _layers_above_head(architecture, precision):
        network.add(layer)
    return network


def _layers_above_head(architecture: Architecture, precision: str) -> Iterator[Any]:
    # The head is the last pooling here, so the dropout below the last pooling drops from its vector.
    if architecture.dropout_after_pool:
        yield dropout_layer(architecture.dropout_after_pool, "dropout_after_pool", precision)
    yield from classifier_layers(architecture, precision)
