"""From image files of any format, mode and orientation to RGB pixels of a given size."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from pipeline.data.image_set import Array

Result = TypeVar("Result")

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "AVIF", "TIFF", "PPM")
_WHITE = (255, 255, 255, 255)
_WHITE_POINTS = (1, 255, 65_535)  # of grey pixels as fractions, 8-bit and 16-bit numbers
_ENOUGH = 2  # times the side wanted: the least size at which a JPEG is decoded
_FILES_PER_THREAD = 32  # in one round: Ctrl-C waits for a round to end, and its results wait to be taken


def in_threads(work: Callable[[Path], Result], paths: Sequence[Path]) -> Iterator[Result]:
    """Yield ``work(path)`` of each file in order, computed in one thread a processor.

    Pillow's warnings are ignored: they are of large images and of oddities that change no pixel.
    """
    Image.init()  # registers the formats, which is not thread-safe
    n_threads = os.cpu_count() or 1
    n_at_once = n_threads * _FILES_PER_THREAD
    with ThreadPoolExecutor(n_threads) as pool:
        for start in range(0, len(paths), n_at_once):
            with warnings.catch_warnings():  # must be set outside of the threads, and holds in them
                warnings.simplefilter("ignore")
                results = list(pool.map(work, paths[start : start + n_at_once]))
            yield from results


def decode(path: Path, height: int, width: int) -> Array:
    """Return the image resized to the shape (height, width, 3) without regard to its proportions, as uint8.

    The format is detected from the content, the EXIF orientation is applied, the first of several frames is taken, and
    transparent pixels are laid on white. Pillow warns of large and of odd images: see :func:`in_threads`.

    Raises:
        Exception: anything that Pillow raises for a file that is not a whole image.
    """
    with _opened(path, side=max(height, width)) as image:
        return _resized(image, width, height)


def decode_to_fit(path: Path, side: int) -> Array:
    """Return the image as ``decode`` does, but in its own proportions, its longer side of ``side`` pixels at most.

    Raises:
        Exception: anything that Pillow raises for a file that is not a whole image.
    """
    with _opened(path, side=side) as image:
        scale = min(1.0, side / max(image.size))
        width, height = (max(1, round(scale * length)) for length in image.size)
        return _resized(image, width, height)


def read_picture(path: Path, input_shape: tuple[int, ...]) -> Array:
    """Return the image as ``decode`` does, in the shape (height, width, channels); grey for one channel.

    Raises:
        Exception: anything that Pillow raises for a file that is not a whole image.
    """
    height, width, n_channels = input_shape
    pixels = decode(path, height, width)
    return pixels if n_channels == 3 else np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


@contextmanager
def _opened(path: Path, *, side: int) -> Iterator[Image.Image]:
    """Open an image upright, at full size or, for a JPEG, reduced to twice ``side`` pixels or more."""
    with Image.open(path, formats=FORMATS) as image:
        image.draft("RGB", (_ENOUGH * side, _ENOUGH * side))
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def _resized(image: Image.Image, width: int, height: int) -> Array:
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
    """Return grey pixels of 16 bits or more scaled to 0..255; Pillow would clip them at 255."""
    grey = np.nan_to_num(np.asarray(image).astype(np.float32))
    white = 65_535.0 if image.mode.startswith("I;16") else _white_point(float(grey.max()))
    return np.rint(grey.clip(0, white) * (255 / white)).astype(np.uint8)


def _white_point(brightest: float) -> float:
    return next((float(white) for white in _WHITE_POINTS if brightest <= white), brightest)
