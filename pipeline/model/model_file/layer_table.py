"""The table of layers that a model file may list: Keras's classes, and the arguments that each may be given."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.knobs.values import Values
from pipeline.model.backbones import BACKBONES, PREPROCESSINGS

MAX_UNITS = 65_536


@dataclass(frozen=True)
class LayerRule:
    """One allowed layer.

    ``required`` names the arguments that it needs. ``axes`` is the number of spatial axes of the images that it takes,
    None for any; a layer that ``flattens`` leaves none.
    """

    arguments: dict[str, Values] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    axes: int | None = None
    flattens: bool = False


_FLAG = Values("bool")
_RATE = {"rate": Values("float", 0.0, 0.999)}
_SLOPE = Values("float", 0.0, 100.0)
_UNITS = Values("int", 1, MAX_UNITS)
_FACTOR = Values("float", -1e6, 1e6)
_ACTIVATION = Values("name", choices=(
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "softplus", "sigmoid", "softmax",
))  # fmt: skip
_INITIALIZER = Values("name", choices=(
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "random_normal", "random_uniform", "truncated_normal", "orthogonal", "zeros", "ones",
))  # fmt: skip
_PADDING = Values("name", choices=("valid", "same"))
_ACTIVATED = {"activation": _ACTIVATION, "use_bias": _FLAG}
_NORMALIZATION = {"epsilon": Values("float", 1e-12, 1.0), "center": _FLAG, "scale": _FLAG}


def _layers_over(axes: int) -> dict[str, LayerRule]:
    """Return the layers for images of ``axes`` spatial axes, whose names end in 1D or 2D."""
    sides = Values("int", 1, 1024, axes=axes)
    pooling = {"pool_size": sides, "strides": sides, "padding": _PADDING}
    convolution = {
        "filters": _UNITS,
        "kernel_size": sides,
        "strides": sides,
        "padding": _PADDING,
        "dilation_rate": sides,
        **_ACTIVATED,
    }
    separable = {
        "strides": Values("int", 1, 1024),  # TensorFlow supports no others
        "depthwise_initializer": _INITIALIZER,
        "pointwise_initializer": _INITIALIZER,
    }
    needed = ("filters", "kernel_size")
    return {
        f"Conv{axes}D": LayerRule({**convolution, "kernel_initializer": _INITIALIZER}, needed, axes),
        f"SeparableConv{axes}D": LayerRule({**convolution, **separable}, needed, axes),
        f"MaxPooling{axes}D": LayerRule(pooling, axes=axes),
        f"AveragePooling{axes}D": LayerRule(pooling, ("pool_size",), axes),
        f"GlobalMaxPooling{axes}D": LayerRule(axes=axes, flattens=True),
        f"GlobalAveragePooling{axes}D": LayerRule(axes=axes, flattens=True),
        f"SpatialDropout{axes}D": LayerRule(_RATE, ("rate",), axes),
    }


LAYERS = {
    **_layers_over(2),
    **_layers_over(1),
    "Rescaling": LayerRule({"scale": _FACTOR, "offset": _FACTOR}, ("scale",)),
    "Flatten": LayerRule(flattens=True),
    "Dense": LayerRule({"units": _UNITS, **_ACTIVATED, "kernel_initializer": _INITIALIZER}, ("units",)),
    "Dropout": LayerRule(_RATE, ("rate",)),
    "BatchNormalization": LayerRule({"momentum": Values("float", 0.0, 1.0), **_NORMALIZATION}),
    "LayerNormalization": LayerRule(_NORMALIZATION),
    "Activation": LayerRule({"activation": _ACTIVATION}, ("activation",)),
    "ReLU": LayerRule(),
    "LeakyReLU": LayerRule({"negative_slope": _SLOPE}),
    "ELU": LayerRule({"alpha": _SLOPE}),
    "Softmax": LayerRule(),
    "Backbone": LayerRule(
        {
            "name": Values("name", choices=tuple(BACKBONES)),
            "weights": Values("name", choices=("imagenet", "random")),
            "trainable": _FLAG,
            "preprocessing": Values("name", choices=PREPROCESSINGS),
        },
        ("name",),
        axes=2,
    ),
}
