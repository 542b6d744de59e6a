"""From an image file to a square of RGB pixels, whatever the file's format, mode and orientation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline.data.image_set import Array

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "AVIF", "TIFF", "PPM")
_WHITE = (255, 255, 255, 255)
_WHITE_POINTS = (1, 255, 65_535)  # of grey pixels that are fractions, bytes, or longer numbers
_ENOUGH = 2  # times the side wanted: how large a JPEG is decoded at least


def decode(path: Path, side: int) -> Array:
    """Return the image squashed to a square of ``side`` pixels, shape (side, side, 3), as uint8.

    It is told by its content, turned as its EXIF data say, its first frame where there are several, and lies on white
    where it is transparent. Pillow warns of large and of odd images: see :func:`decoded`.

    Raises:
        Exception: whatever Pillow raises for what is no whole image.
    """
    with Image.open(path, formats=FORMATS) as image:
        image.draft("RGB", (_ENOUGH * side, _ENOUGH * side))
        ImageOps.exif_transpose(image, in_place=True)
        colours = _in_colour(image)
        small = colours.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
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
