"""Backbones: networks without their top, with their own preprocessing inside; most are of ``keras.applications``."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import BackboneError
from pipeline.model.efficientnet_lite import build_efficientnet_lite

PREPROCESSINGS = ("own", "zero_one")
"""How pixels are made ready for a backbone: as for its ImageNet training, or rescaled to 0..1 whatever that was."""

_ESCAPES = re.compile(r"\x1b\[\d*m")


@dataclass(frozen=True)
class Backbone:
    """One backbone: its size, the images it takes, its blocks, and its preprocessing of pixels of 0..255.

    ``n_parameters`` are those without top, ``n_maps`` its feature maps. ``least_side`` is the smallest side of its
    images. ``weights_file`` is Keras's name for the ImageNet weights without top; None where Keras has none. A block is
    the layers of one resolution, in InceptionV3 those up to one ``mixed``, in EfficientNets a stage; ``block_ends``
    names the last layer of each block but the last, and the stem belongs to the first.
    Each channel becomes ``pixel * factor + offset``, in BGR order where ``is_bgr``; ``factor`` is None where the
    network of ``keras.applications`` does its preprocessing itself.
    """

    n_parameters: int
    n_maps: int
    least_side: int
    weights_file: str | None
    block_ends: tuple[str, ...]
    factor: float | None = None
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    is_bgr: bool = False

    @property
    def n_blocks(self) -> int:
        """Number of blocks that can be unfrozen."""
        return len(self.block_ends) + 1


def _efficientnet_lite(n_parameters: int, *stage_ends: str) -> Backbone:
    """Return the row of a network whose stages end in the blocks that are named: pixels become (x - 127) / 128."""
    ends = ("block1a_project_bn", *(f"block{end}_add" for end in stage_ends))
    return Backbone(n_parameters, 1280, 32, None, ends, 1 / 128, (-127 / 128,) * 3)


BACKBONES = {
    "VGG16": Backbone(
        14_714_688, 512, 32, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ("block1_pool", "block2_pool", "block3_pool", "block4_pool"),
        1.0, (-103.939, -116.779, -123.68), is_bgr=True,  # the mean of ImageNet
    ),
    "InceptionV3": Backbone(
        21_802_784, 2048, 75, "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        tuple(f"mixed{number}" for number in range(10)),
        1 / 127.5, (-1.0, -1.0, -1.0),
    ),
    "MobileNetV3Small": Backbone(
        939_120, 576, 32, "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        ("expanded_conv_project_bn", "expanded_conv_2_add", "expanded_conv_7_add"),
    ),
    "MobileNetV3Large": Backbone(
        2_996_352, 960, 32, "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        ("expanded_conv_add", "expanded_conv_2_add", "expanded_conv_5_add", "expanded_conv_11_add"),
    ),
    "EfficientNetV2B0": Backbone(
        5_919_312, 1280, 32, "efficientnetv2-b0_notop.h5",
        ("block1a_project_bn", "block2b_add", "block3b_add", "block4c_add", "block5e_add"),
    ),
    "EfficientNetLite0": _efficientnet_lite(3_413_024, "2b", "3b", "4c", "5c", "6d"),
    "EfficientNetLite1": _efficientnet_lite(4_189_344, "2c", "3c", "4d", "5d", "6e"),
    "EfficientNetLite2": _efficientnet_lite(4_869_168, "2c", "3c", "4d", "5d", "6e"),
}  # fmt: skip


def images_problem(name: str, input_shape: tuple[int, ...]) -> str | None:
    """Return the rule of the backbone ``name`` that images of ``input_shape`` break, or None if it takes them."""
    least = BACKBONES[name].least_side
    if len(input_shape) != 3:
        return f"{name} needs images (height, width, channels), got sequences of shape {input_shape}"
    if input_shape[-1] not in (1, 3):
        return f"{name} needs images of 1 or 3 channels, got {input_shape[-1]}"
    if min(input_shape[:-1]) < least:
        return f"{name} needs images of {least} x {least} pixels or more, got {input_shape[0]} x {input_shape[1]}"
    return None


def build_backbone(
    name: str,
    *,
    input_shape: tuple[int, ...],
    weights: Path | None,
    unfrozen_blocks: int = 0,
    precision: str = "float32",
    preprocessing: str = "own",
) -> Any:
    """Build a backbone that takes raw pixels of 0..255, grey or RGB, and returns feature maps.

    ``preprocessing`` is one of ``PREPROCESSINGS``.
    ``weights`` is the path of a weights file without top, or None for random ones: the same ones each time, so that
    cached features stay valid. The last ``unfrozen_blocks`` train, or all blocks where there are fewer. Their batch
    normalization stays in inference mode with its pretrained statistics, as
    https://keras.io/guides/transfer_learning advises; with random weights, which have none, it trains too. The
    backbone's own dropout is off.

    Raises:
        BackboneError: the weights do not fit the network.
    """
    with _keras_defaults(precision):
        network = _without_top(name, (*input_shape[:-1], 3), weights, preprocessing)
        whole = _on_pixels(name, network, input_shape, preprocessing)
    _freeze(network, BACKBONES[name], unfrozen_blocks, trains_norms=weights is None)
    for layer in network.layers:
        if type(layer).__name__ == "Dropout":
            layer.rate = 0.0  # else it would be active in training, frozen or not
    return whole


def trained_part(network: Any) -> list[Any]:
    """Return the variables that are trained of the backbone within ``network``; none where it has no backbone."""
    inside = (layer for layer in network.layers if layer.name in BACKBONES)
    return [variable for backbone in inside for variable in backbone.trainable_variables]


def _network(name: str, input_shape: tuple[int, ...], preprocessing: str) -> Any:
    import keras

    if name.startswith("EfficientNetLite"):
        return build_efficientnet_lite(name, input_shape=input_shape)
    does_its_own = BACKBONES[name].factor is None
    options = {"include_preprocessing": preprocessing == "own"} if does_its_own else {}
    return getattr(keras.applications, name)(include_top=False, weights=None, input_shape=input_shape, **options)


def _without_top(name: str, input_shape: tuple[int, ...], weights: Path | None, preprocessing: str) -> Any:
    network = _network(name, input_shape, preprocessing)
    if weights is not None:
        try:
            network.load_weights(weights)
        except Exception as error:  # Keras and h5py raise many classes for files that do not fit
            raise BackboneError(
                f"the weights of {name} must fit its network without top, but '{weights}' cannot be loaded "
                f"({keras_reason(error)}); put the right file there"
            ) from error
    return network


def _on_pixels(name: str, network: Any, input_shape: tuple[int, ...], preprocessing: str) -> Any:
    """Return the network behind its preprocessing; grey images are repeated to three channels."""
    import keras

    backbone = BACKBONES[name]
    pixels = keras.Input(input_shape, name="pixels")
    prepared = keras.ops.repeat(pixels, 3, axis=-1) if input_shape[-1] == 1 else pixels
    if preprocessing == "zero_one":
        prepared = keras.layers.Rescaling(1 / 255, name="preprocessing")(prepared)
    elif backbone.factor is not None:
        ordered = keras.ops.flip(prepared, axis=-1) if backbone.is_bgr else prepared
        prepared = keras.layers.Rescaling(backbone.factor, list(backbone.offset), name="preprocessing")(ordered)
    return keras.Model(pixels, network(prepared), name=name)


def _freeze(network: Any, backbone: Backbone, unfrozen_blocks: int, *, trains_norms: bool) -> None:
    """Freeze all layers but those of the last blocks; a frozen batch normalization is in inference mode."""
    names = [layer.name for layer in network.layers]
    starts = [0, *(names.index(end) + 1 for end in backbone.block_ends), len(names)]
    first = starts[max(0, backbone.n_blocks - unfrozen_blocks)]
    for place, layer in enumerate(network.layers):
        layer.trainable = place >= first and (trains_norms or type(layer).__name__ != "BatchNormalization")


def keras_reason(error: Exception) -> str:
    """Return the sentence of Keras's message that gives the reason."""
    lines = [line for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception encountered")] or [type(error).__name__]
    return told[0].split(". Received")[0].removesuffix(".")


@contextmanager
def _keras_defaults(precision: str) -> Iterator[None]:
    """Set Keras's default precision and fix its random numbers: networks of ``keras.applications`` take neither.

    Keras draws the seeds of layers that are given none from Python's random numbers.
    """
    import keras

    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy(precision)
    random.seed(0)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(state)
