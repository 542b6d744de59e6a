"""The device that holds the images of a training."""

from __future__ import annotations

from typing import Any

from pipeline.data.pixels import StoredPixels
from pipeline.data.source import Split
from pipeline.training.device import gpu_memory_mb

_MOST_OF_MEMORY = 0.25  # of what the process has on its GPU; the network needs the rest
_LEAST_MEMORY_MB = 4096  # assumed where it is not known


def choose_image_device(split: Split) -> str | None:
    """Return the name of the GPU that holds the images of a split, or None where the CPU makes the batches.

    That is where there is no GPU, where the images are on disk, and where they would fill more than a quarter of what
    this process has of the GPU's memory.
    """
    import tensorflow as tf

    gpus, n_bytes = tf.config.list_logical_devices("GPU"), _bytes_in_memory(split)
    if not gpus or n_bytes is None:
        return None
    limits = tf.config.get_logical_device_configuration(tf.config.list_physical_devices("GPU")[0])
    return gpus[0].name if fits(n_bytes, _memory_mb(limits)) else None


def fits(n_bytes: int, memory_mb: float) -> bool:
    """Return whether images leave enough of a GPU's memory to the network."""
    return n_bytes <= _MOST_OF_MEMORY * memory_mb * 2**20


def _bytes_in_memory(split: Split) -> int | None:
    """Return the size of training and validation images together; None where they are on disk."""
    parts = [part.images for part in (split.train, split.validation)]
    sizes = [part.nbytes for part in parts if not isinstance(part, StoredPixels)]
    return sum(sizes) if len(sizes) == len(parts) else None


def _memory_mb(limits: Any) -> float:
    own = limits[0].memory_limit if limits else None
    return own or gpu_memory_mb() or _LEAST_MEMORY_MB
