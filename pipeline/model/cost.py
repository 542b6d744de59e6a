"""The cost of an architecture, estimated from its knobs: no network is built, and TensorFlow is not loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.data.augmentation import make_augmentation
from pipeline.data.scaling import Scaling
from pipeline.knobs.table import Knobs
from pipeline.model.architecture import Architecture, make_architecture
from pipeline.model.backbones import BACKBONES
from pipeline.model.layer_cost import Shape, layer_cost
from pipeline.model.network import LayerSpec, network_layers
from pipeline.model.transfer import layers_after_head


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    ``n_parameters`` counts all of them, trainable or not, as Keras does; None where it is unknown. ``operations`` are
    the multiply-adds of one image's forward pass, weighted by the time that each kind of layer takes in a training; NaN
    where unknown.
    """

    n_parameters: int | None
    operations: float


def estimate_cost(knobs: Knobs, input_shape: tuple[int, ...], n_classes: int) -> Cost:
    """Estimate what the network costs that ``knobs`` describe, for images of ``input_shape``.

    Seconds per image of a training are about proportional to ``operations``, by a factor that depends on the machine.
    ``image_size`` replaces the sides in ``input_shape``. With a frozen backbone and neither augmentation nor mirrored
    prediction, ``operations`` are those of the classifier alone, which is what each step computes; a backbone's own are
    unknown, and so is the number of parameters of a flatten head on it.

    Raises:
        OutputError: one sigmoid unit for other than two classes.
    """
    side, n_channels = int(knobs["image_size"]), input_shape[-1]
    shape = (side, side, n_channels) if side else input_shape
    unscaled = Scaling((1.0,) * n_channels, (0.0,) * n_channels)
    architecture = make_architecture(knobs, input_shape=shape, n_classes=n_classes, pixel_scaling=unscaled)
    if architecture.backbone == "none":
        return _total(network_layers(architecture), shape)
    return _transfer_cost(architecture)


def _transfer_cost(architecture: Architecture) -> Cost:
    if architecture.head == "flatten":
        return Cost(None, math.nan)
    backbone = BACKBONES[architecture.backbone]
    classifier = _total(layers_after_head(architecture), (backbone.n_maps,))
    assert classifier.n_parameters is not None
    needs_images = make_augmentation(architecture.knobs).changes_images or architecture.mirrored_prediction
    is_computed_once = architecture.unfrozen_blocks == 0 and not needs_images
    return Cost(
        backbone.n_parameters + classifier.n_parameters, classifier.operations if is_computed_once else math.nan
    )


def _total(layers: Iterable[LayerSpec], shape: Shape) -> Cost:
    n_parameters, operations = 0, 0.0
    for kind, _, arguments in layers:
        cost = layer_cost(kind, arguments, shape)
        n_parameters, operations, shape = n_parameters + cost.n_parameters, operations + cost.operations, cost.shape
    return Cost(n_parameters, operations)
