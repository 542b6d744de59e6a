"""From an architecture with a backbone to its network: backbone, head, classifier; whole, or in two parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.model.architecture import Architecture
from pipeline.model.backbones import build_backbone
from pipeline.model.network import LayerSpec, add_layers, classifier_layers, dropout, head_layer, scaling_layer


def build_transfer_network(architecture: Architecture, *, weights: Path | None, precision: str = "float32") -> Any:
    """Build the whole network, uncompiled: raw images in, probabilities of shape (n, n_classes) in float32 out.

    ``weights`` is the weights file of the backbone, or None for random ones; ``precision`` is a Keras dtype policy
    name.

    Raises:
        BackboneError: the weights do not fit the backbone.
    """
    return join(build_frozen_part(architecture, weights=weights, precision=precision), architecture, precision)


def build_frozen_part(architecture: Architecture, *, weights: Path | None, precision: str = "float32") -> Any:
    """Build the part from raw images to the backbone's feature maps; it scales the pixels to 0..255 if need be."""
    import keras

    part = keras.Sequential([keras.Input(architecture.input_shape, name="pixels")], name="pixels_to_maps")
    if not architecture.pixel_scaling.is_identity:
        add_layers(part, [scaling_layer(architecture.pixel_scaling)], precision)
    part.add(
        build_backbone(
            architecture.backbone, input_shape=architecture.input_shape, weights=weights,
            unfrozen_blocks=architecture.unfrozen_blocks, precision=precision,
        )
    )  # fmt: skip
    return part


def join(part: Any, architecture: Architecture, precision: str = "float32") -> Any:
    """Return the whole network: the layers of ``part``, which it shares, then a head and an untrained classifier."""
    import keras

    network = keras.Sequential([keras.Input(architecture.input_shape, name="pixels"), *part.layers], name="network")
    add_layers(network, [head_layer(architecture), *layers_after_head(architecture)], precision)
    return network


def build_classifier(architecture: Architecture, *, n_features: int, precision: str = "float32") -> Any:
    """Build the classifier alone, uncompiled: it takes the head's vectors, of shape (n, n_features)."""
    import keras

    network = keras.Sequential([keras.Input((n_features,), name="features")], name="classifier")
    add_layers(network, layers_after_head(architecture), precision)
    return network


def layers_after_head(architecture: Architecture) -> Iterator[LayerSpec]:
    """Yield the layers from the head's vector to the probabilities."""
    # The head is the last pooling here, so the dropout after the last pooling applies to its vector.
    yield from dropout(architecture.dropout_after_pool, "dropout_after_pool")
    yield from classifier_layers(architecture)
