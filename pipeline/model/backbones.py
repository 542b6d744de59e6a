"""Backbones of ``keras.applications``: networks without their top, with their own preprocessing inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Backbone:
    """One backbone: the smallest side of its images, and what its authors did to pixels of 0..255.

    ``pixel * factor + offset`` a channel, after RGB was turned to BGR where ``is_bgr``; None where the network of
    ``keras.applications`` holds its preprocessing itself.
    """

    least_side: int
    factor: float | None = None
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    is_bgr: bool = False


BACKBONES = {
    "VGG16": Backbone(32, 1.0, (-103.939, -116.779, -123.68), is_bgr=True),  # the mean of ImageNet
    "InceptionV3": Backbone(75, 1 / 127.5, (-1.0, -1.0, -1.0)),
    "MobileNetV3Small": Backbone(32),
    "MobileNetV3Large": Backbone(32),
    "EfficientNetV2B0": Backbone(32),
}


def build_backbone(
    name: str,
    *,
    input_shape: tuple[int, ...],
    weights: str | Path | None = None,
    trainable: bool = False,
    precision: str = "float32",
) -> Any:
    """Build a backbone that takes raw pixels of 0..255 and returns feature maps.

    ``weights`` is ``imagenet``, the path of a weights file without top, or None for random ones; ImageNet weights that
    Keras does not hold yet are downloaded. Raises what Keras does where the weights cannot be had or do not fit.
    """
    import keras

    source = None if weights is None else str(weights)
    make = getattr(keras.applications, name)
    with _default_precision(precision):
        network = make(include_top=False, weights=source, input_shape=input_shape)
        whole = _with_preprocessing(BACKBONES[name], network, input_shape)
    whole.trainable = trainable
    return whole


def _with_preprocessing(backbone: Backbone, network: Any, input_shape: tuple[int, ...]) -> Any:
    import keras

    if backbone.factor is None:
        return network
    pixels = keras.Input(input_shape, name="pixels")
    ordered = keras.ops.flip(pixels, axis=-1) if backbone.is_bgr else pixels
    scaled = keras.layers.Rescaling(backbone.factor, list(backbone.offset), name="preprocessing")(ordered)
    return keras.Model(pixels, network(scaled), name=f"{network.name}_on_pixels")


@contextmanager
def _default_precision(precision: str) -> Iterator[None]:
    """Set Keras's own default for a while: networks of ``keras.applications`` take no dtype."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
