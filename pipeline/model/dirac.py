"""Convolutions that begin as the identity."""

from __future__ import annotations

from typing import Any


def set_identities(network: Any) -> None:
    """Have each trainable convolution begin by copying its input: filter i copies channel i, as far as there are both.

    The other filters keep their random weights. After Zagoruyko and Komodakis, "DiracNets", 2017; that the copies are
    only some of the filters is from airbench (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
    """
    import numpy as np

    for layer in network.layers:
        if layer.trainable and type(layer).__name__ in ("Conv1D", "Conv2D"):
            kernel = np.array(layer.kernel)
            *sides, n_channels, n_filters = kernel.shape
            n_copies = min(n_channels, n_filters)
            center = tuple((side - 1) // 2 for side in sides)  # with padding ``same``, the pixel itself
            kernel[..., :n_copies] = 0
            kernel[(*center, range(n_copies), range(n_copies))] = 1
            layer.kernel.assign(kernel)
