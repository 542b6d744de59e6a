"""Image files of any size and mode as the raw pixels that a model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.image_set import Array
from pipeline.data.photographs.decoding import decode
from pipeline.data.photographs.files import find_files


def find_pictures(place: Path) -> list[Path]:
    """Return the file, or the files in a folder and below it that are called like images, in order.

    Raises:
        DataError: a folder cannot be read.
    """
    if not place.is_dir():
        return [place]
    return [place / found for found in find_files(place).images]


def read_picture(path: Path, input_shape: tuple[int, ...]) -> Array:
    """Read an image as uint8 of ``input_shape`` (height, width, channels): squashed, grey for one channel.

    Raises:
        Exception: whatever Pillow raises for what is no whole image.
    """
    height, width, n_channels = input_shape
    pixels = decode(path, height, width)
    return pixels if n_channels == 3 else np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]
