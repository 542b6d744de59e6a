"""The table of layers that a hand-made model may have: Keras's own names, and the arguments that each may be given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.knobs.values import Values
from pipeline.model.backbones import BACKBONES

MAX_UNITS = 65_536


@dataclass(frozen=True)
class Argument(Values):
    """The values of one argument; with ``axes`` it may be a list of so many of them, one an axis of the image."""

    kind: Literal["int", "float", "bool", "name"]
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    axes: int = 0
    required: bool = False


@dataclass(frozen=True)
class LayerRule:
    """One allowed layer.

    ``axes`` are the spatial axes of the images that it takes, None for any; a layer that ``flattens`` leaves none.
    """

    arguments: dict[str, Argument] = field(default_factory=dict)
    axes: int | None = None
    flattens: bool = False


_FLAG = Argument("bool")
_RATE = Argument("float", 0.0, 0.999, required=True)
_SLOPE = Argument("float", 0.0, 100.0)
_UNITS = Argument("int", 1, MAX_UNITS, required=True)
_PADDING = Argument("name", choices=("valid", "same"))
_ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "softplus", "sigmoid", "softmax",
)  # fmt: skip
_ACTIVATION = Argument("name", choices=_ACTIVATIONS)
_INITIALIZER = Argument(
    "name",
    choices=(
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
        "random_normal", "random_uniform", "truncated_normal", "orthogonal", "zeros", "ones",
    ),
)  # fmt: skip
_NORMALIZATION = {"epsilon": Argument("float", 1e-12, 1.0), "center": _FLAG, "scale": _FLAG}


def _layers_over(axes: int) -> dict[str, LayerRule]:
    """Return the layers for images of ``axes`` spatial axes, whose names end in 1D or 2D."""
    side = Argument("int", 1, 1024, axes=axes)
    needed_side = Argument("int", 1, 1024, axes=axes, required=True)
    convolution = {
        "filters": _UNITS,
        "kernel_size": needed_side,
        "strides": side,
        "padding": _PADDING,
        "dilation_rate": side,
        "activation": _ACTIVATION,
        "use_bias": _FLAG,
    }
    separable = {
        "strides": Argument("int", 1, 1024),  # TensorFlow has no others
        "depthwise_initializer": _INITIALIZER,
        "pointwise_initializer": _INITIALIZER,
    }
    pooling = {"pool_size": side, "strides": side, "padding": _PADDING}
    return {
        f"Conv{axes}D": LayerRule({**convolution, "kernel_initializer": _INITIALIZER}, axes),
        f"SeparableConv{axes}D": LayerRule({**convolution, **separable}, axes),
        f"MaxPooling{axes}D": LayerRule(pooling, axes),
        f"AveragePooling{axes}D": LayerRule({**pooling, "pool_size": needed_side}, axes),
        f"GlobalMaxPooling{axes}D": LayerRule(axes=axes, flattens=True),
        f"GlobalAveragePooling{axes}D": LayerRule(axes=axes, flattens=True),
        f"SpatialDropout{axes}D": LayerRule({"rate": _RATE}, axes),
    }


LAYERS = {
    **_layers_over(2),
    **_layers_over(1),
    "Flatten": LayerRule(flattens=True),
    "Dense": LayerRule(
        {"units": _UNITS, "activation": _ACTIVATION, "use_bias": _FLAG, "kernel_initializer": _INITIALIZER}
    ),
    "Dropout": LayerRule({"rate": _RATE}),
    "BatchNormalization": LayerRule({"momentum": Argument("float", 0.0, 1.0), **_NORMALIZATION}),
    "LayerNormalization": LayerRule(_NORMALIZATION),
    "Activation": LayerRule({"activation": Argument("name", choices=_ACTIVATIONS, required=True)}),
    "ReLU": LayerRule(),
    "LeakyReLU": LayerRule({"negative_slope": _SLOPE}),
    "ELU": LayerRule({"alpha": _SLOPE}),
    "Softmax": LayerRule(),
    "Backbone": LayerRule(
        {
            "name": Argument("name", choices=tuple(BACKBONES), required=True),
            "weights": Argument("name", choices=("imagenet", "random")),
            "trainable": _FLAG,
        },
        axes=2,
    ),
}
