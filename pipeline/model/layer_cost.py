"""The cost of one layer: its output's shape, its parameters, its operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Arguments = dict[str, Any]

# Fitted to the seconds per image of trainings on a CPU, of 24 configurations of the space for CIFAR-10: memory bounds a
# layer that does little with each number of its input, and the gradients of strided convolutions take longer.
_OPERATIONS_PER_NUMBER = 70.0
_STRIDED_FACTOR = 2.5


@dataclass(frozen=True)
class LayerCost:
    """The ``shape`` of a layer's output, its parameters, and its weighted multiply-adds for one image."""

    shape: Shape
    n_parameters: int
    operations: float


def layer_cost(kind: str, arguments: Arguments, shape: Shape) -> LayerCost:
    """Return the cost of a layer of Keras's class ``kind`` whose input has ``shape``, without the axis of images."""
    return _COSTS[kind.removesuffix("1D").removesuffix("2D")](arguments, shape)


def _convolution(arguments: Arguments, shape: Shape) -> LayerCost:
    filters, stride = arguments["filters"], arguments["strides"]
    cut = arguments["kernel_size"] - 1 if arguments["padding"] == "valid" else 0
    sides = [-(-(side - cut) // stride) for side in shape[:-1]]
    n_weights = arguments["kernel_size"] ** len(sides) * shape[-1] * filters
    n_biases = filters if arguments["use_bias"] else 0
    factor = _STRIDED_FACTOR if stride > 1 else 1.0
    return LayerCost((*sides, filters), n_weights + n_biases, factor * n_weights * math.prod(sides))


def _dense(arguments: Arguments, shape: Shape) -> LayerCost:
    units = arguments["units"]
    return LayerCost((units,), (shape[0] + 1) * units, shape[0] * units)


def _pooling(arguments: Arguments, shape: Shape) -> LayerCost:
    sides = (side // arguments["pool_size"] for side in shape[:-1])
    return LayerCost((*sides, shape[-1]), 0, _bound_by_memory(shape))


def _global_pooling(arguments: Arguments, shape: Shape) -> LayerCost:
    return LayerCost(shape[-1:], 0, _bound_by_memory(shape))


def _flatten(arguments: Arguments, shape: Shape) -> LayerCost:
    return LayerCost((math.prod(shape),), 0, 0)


def _normalization(arguments: Arguments, shape: Shape) -> LayerCost:
    return LayerCost(shape, 4 * shape[-1], _bound_by_memory(shape))


def _elementwise(arguments: Arguments, shape: Shape) -> LayerCost:
    return LayerCost(shape, 0, _bound_by_memory(shape))


def _bound_by_memory(shape: Shape) -> float:
    return _OPERATIONS_PER_NUMBER * math.prod(shape)


_COSTS: dict[str, Callable[[Arguments, Shape], LayerCost]] = {
    "Activation": _elementwise,
    "AveragePooling": _pooling,
    "BatchNormalization": _normalization,
    "Conv": _convolution,
    "Dense": _dense,
    "Dropout": _elementwise,
    "Flatten": _flatten,
    "GlobalAveragePooling": _global_pooling,
    "GlobalMaxPooling": _global_pooling,
    "MaxPooling": _pooling,
    "Rescaling": _elementwise,
    "Softmax": _elementwise,
}
