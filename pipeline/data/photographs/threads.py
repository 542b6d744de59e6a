"""Work on many image files at once: Pillow lets other threads run while it decodes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

Result = TypeVar("Result")

_FILES_PER_THREAD = 32  # handed out at once: no more are waited for after Ctrl-C, or wait to be taken


def in_threads(work: Callable[[Path], Result], paths: Sequence[Path]) -> Iterator[Result]:
    """Yield ``work`` of each file in order, done by a thread a processor; Pillow's warnings are passed over.

    They are of large images, which are welcome, and of oddities that change no pixel.
    """
    Image.init()  # finds the formats, which is not made for several threads
    n_threads = os.cpu_count() or 1
    n_at_once = n_threads * _FILES_PER_THREAD
    with ThreadPoolExecutor(n_threads) as pool:
        for start in range(0, len(paths), n_at_once):
            with warnings.catch_warnings():  # may not be set inside of threads, but holds for them
                warnings.simplefilter("ignore")
                results = list(pool.map(work, paths[start : start + n_at_once]))
            yield from results
