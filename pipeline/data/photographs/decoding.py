"""From an image file to RGB pixels of a given size, whatever the file's format, mode and orientation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline.data.image_set import Array

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "AVIF", "TIFF", "PPM")
_WHITE = (255, 255, 255, 255)
_WHITE_POINTS = (1, 255, 65_535)  # of grey pixels that are fractions, bytes, or longer numbers
_ENOUGH = 2  # times the side wanted: how large a JPEG is decoded at least


def decode(path: Path, height: int, width: int) -> Array:
    """Return the image squashed to the shape (height, width, 3), as uint8.

    It is told by its content, turned as its EXIF data say, its first frame where there are several, and lies on white
    where it is transparent. Pillow warns of large and of odd images: see :func:`in_threads`.

    Raises:
        Exception: whatever Pillow raises for what is no whole image.
    """
    with _opened(path, side=max(height, width)) as image:
        return _squashed(image, width, height)


def decode_to_fit(path: Path, side: int) -> Array:
    """Return the image as ``decode`` does, but in its own proportions, its longer side of ``side`` pixels at most.

    Raises:
        Exception: whatever Pillow raises for what is no whole image.
    """
    with _opened(path, side=side) as image:
        scale = min(1.0, side / max(image.size))
        width, height = (max(1, round(scale * length)) for length in image.size)
        return _squashed(image, width, height)


@contextmanager
def _opened(path: Path, *, side: int) -> Iterator[Image.Image]:
    """Open an image upright, at full size or at one with ample pixels for a square of ``side`` pixels."""
    with Image.open(path, formats=FORMATS) as image:
        image.draft("RGB", (_ENOUGH * side, _ENOUGH * side))
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def _squashed(image: Image.Image, width: int, height: int) -> Array:
    small = _in_colour(image).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, _WHITE), small).convert("RGB")
    return np.asarray(small)


def _in_colour(image: Image.Image) -> Image.Image:
    """Return the image as RGB, or as RGBA where it is transparent anywhere."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_in_bytes(image)).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_bytes(image: Image.Image) -> Array:
    """Return grey pixels of 16 bits or more as bytes; Pillow would cut off what is brighter than 255."""
    grey = np.nan_to_num(np.asarray(image).astype(np.float32))
    white = 65_535.0 if image.mode.startswith("I;16") else _white_point(float(grey.max()))
    return np.rint(grey.clip(0, white) * (255 / white)).astype(np.uint8)


def _white_point(brightest: float) -> float:
    return next((float(white) for white in _WHITE_POINTS if brightest <= white), brightest)
