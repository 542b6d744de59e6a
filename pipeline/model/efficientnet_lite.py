"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, for processors without a GPU.

EfficientNet: Tan and Le, 2019, https://arxiv.org/abs/1905.11946. The lite networks, whose stem, first and last stage do
not grow, are those of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_STEM_FILTERS, _TOP_FILTERS = 32, 1280
_NORMALIZATION = {"momentum": 0.99, "epsilon": 1e-3}
_FILTERS_DIVISOR = 8


@dataclass(frozen=True)
class MBConv:
    """A block: 1x1 convolution to ``expansion`` times the filters, depthwise convolution, 1x1 convolution back."""

    name: str
    kernel_size: int
    stride: int
    expansion: int
    n_inputs: int
    filters: int

    @property
    def adds_its_input(self) -> bool:
        """Whether the block is a residual one."""
        return self.stride == 1 and self.n_inputs == self.filters


@dataclass(frozen=True)
class _Stage:
    n_blocks: int
    kernel_size: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_WIDTH_AND_DEPTH = {
    "EfficientNetLite0": (1.0, 1.0),
    "EfficientNetLite1": (1.0, 1.1),
    "EfficientNetLite2": (1.1, 1.2),
}


def mbconv_blocks(name: str) -> Iterator[MBConv]:
    """Yield the blocks of the network ``name`` from its stem on, called ``block1a``, ``block2a``, ``block2b``, ..."""
    width, depth = _WIDTH_AND_DEPTH[name]
    n_inputs = _STEM_FILTERS
    for number, stage in enumerate(_STAGES, start=1):
        is_fixed = number in (1, len(_STAGES))
        filters = _round_filters(stage.filters * width)
        for index in range(stage.n_blocks if is_fixed else math.ceil(stage.n_blocks * depth)):
            stride = stage.stride if index == 0 else 1
            block = f"block{number}{chr(ord('a') + index)}"
            yield MBConv(block, stage.kernel_size, stride, stage.expansion, n_inputs, filters)
            n_inputs = filters


def build_efficientnet_lite(name: str, *, input_shape: tuple[int, ...]) -> Any:
    """Build the network ``name`` without its top: scaled images in, feature maps of 1280 channels out.

    Layers are called as in the EfficientNets of ``keras.applications``.
    """
    import keras

    images = keras.Input(input_shape, name="images")
    maps = _activated(_convolution(images, "stem_conv", _STEM_FILTERS, kernel_size=3, strides=2), "stem")
    for block in mbconv_blocks(name):
        maps = _mbconv(maps, block)
    maps = _activated(_convolution(maps, "top_conv", _TOP_FILTERS), "top")
    return keras.Model(images, maps, name=name)


def _mbconv(inputs: Any, block: MBConv) -> Any:
    from keras import layers

    maps = inputs
    if block.expansion != 1:
        expanded = _convolution(maps, f"{block.name}_expand_conv", block.n_inputs * block.expansion)
        maps = _activated(expanded, f"{block.name}_expand")
    depthwise = layers.DepthwiseConv2D(
        block.kernel_size, block.stride, "same", use_bias=False, name=f"{block.name}_dwconv"
    )  # fmt: skip
    maps = _activated(depthwise(maps), block.name)
    maps = _convolution(maps, f"{block.name}_project_conv", block.filters)
    maps = layers.BatchNormalization(name=f"{block.name}_project_bn", **_NORMALIZATION)(maps)
    return layers.Add(name=f"{block.name}_add")([maps, inputs]) if block.adds_its_input else maps


def _convolution(inputs: Any, name: str, filters: int, *, kernel_size: int = 1, strides: int = 1) -> Any:
    from keras import layers

    return layers.Conv2D(filters, kernel_size, strides, "same", use_bias=False, name=name)(inputs)


def _activated(maps: Any, name: str) -> Any:
    from keras import layers

    normalized = layers.BatchNormalization(name=f"{name}_bn", **_NORMALIZATION)(maps)
    return layers.ReLU(max_value=6, name=f"{name}_activation")(normalized)


def _round_filters(filters: float) -> int:
    """Round to a multiple of 8, by no more than a tenth down."""
    rounded = max(_FILTERS_DIVISOR, int(filters + _FILTERS_DIVISOR / 2) // _FILTERS_DIVISOR * _FILTERS_DIVISOR)
    return rounded if rounded >= 0.9 * filters else rounded + _FILTERS_DIVISOR
