"""The latency of a model: how long one image takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels

LATENCY = "latency_ms"  # a figure of a training
_WARM_UPS, _TIMED_CALLS = 5, 50


def measure_latency(predict: Callable[[Array], object], images: Pixels) -> float:
    """Return the median of the milliseconds that ``predict`` takes for a single image, after a warm-up.

    It is called with one of the ``images``, of shape (1, ...), at a time.
    """
    seconds = []
    for call in range(_WARM_UPS + _TIMED_CALLS):
        at = call % len(images)
        image = images[at : at + 1]
        start = time.perf_counter()
        predict(image)
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[_WARM_UPS:])
