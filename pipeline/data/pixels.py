"""Pixels in memory, or on disk where they are too large for it, or in several copies; all are read by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

_READ_AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """Images of an array on disk, read when they are indexed.

    ``array``, a ``numpy.memmap``, has the shape (n, height, width, channels); ``rows`` are the indices of these images
    in it, in their order.
    """

    array: _Array
    rows: _Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images, as of an array in memory."""
        return (len(self.rows), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | _Array) -> _Array:
        """Read images into memory: one, a slice, or those at an array of indices."""
        return np.array(self.array[self.rows[index]])

    def only(self, indices: _Array) -> StoredPixels:
        """Return the images at ``indices``, unread."""
        return StoredPixels(self.array, self.rows[indices])


@dataclass(frozen=True, eq=False)
class Copies:
    """What was computed once of images, and of randomly changed copies of them.

    ``array`` has the shape (n, copies, ...); the first copy is that of the image as it is, and indexing gives that one.
    """

    array: _Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first copies."""
        return (len(self.array), *self.array.shape[2:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return self.array.dtype

    @property
    def nbytes(self) -> int:
        """Size of all copies."""
        return self.array.nbytes

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int | slice | _Array) -> _Array:
        """Return first copies: one, a slice, or those at an array of indices."""
        return np.asarray(self.array[index, 0])

    def only(self, indices: _Array) -> Copies:
        """Return the copies of the images at ``indices``."""
        return Copies(self.array[indices])


Pixels = _Array | StoredPixels | Copies
"""Images of shape (n, height, width, channels), sequences of (n, length, channels), or features of (n, features)."""


def take(pixels: Pixels, indices: _Array) -> Pixels:
    """Return the images at ``indices``: a copy of images in memory, while those on disk stay there."""
    return pixels[indices] if isinstance(pixels, np.ndarray) else pixels.only(indices)


def in_parts(pixels: Pixels) -> Iterator[_Array]:
    """Yield all images in order, a thousand at a time."""
    for start in range(0, len(pixels), _READ_AT_ONCE):
        yield pixels[start : start + _READ_AT_ONCE]


def joined(parts: Sequence[Pixels]) -> Pixels:
    """Return the images of all ``parts``, one after another; those on disk stay there."""
    first = parts[0]
    if isinstance(first, StoredPixels):
        rows = [part.rows for part in parts if isinstance(part, StoredPixels)]
        return StoredPixels(first.array, np.concatenate(rows))
    return first if len(parts) == 1 else np.concatenate([np.asarray(part) for part in parts])


def extremes_per_channel(pixels: Pixels) -> tuple[_Array, _Array]:
    """Return the least and the greatest value found in each channel, shape (channels,) each."""
    axes = tuple(range(len(pixels.shape) - 1))
    found = [(part.min(axis=axes), part.max(axis=axes)) for part in in_parts(pixels)]
    low, high = np.min([least for least, _ in found], axis=0), np.max([greatest for _, greatest in found], axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def extremes(pixels: Pixels) -> tuple[float, float]:
    """Return the least and the greatest value found."""
    found = [(float(part.min()), float(part.max())) for part in in_parts(pixels)]
    return min(low for low, _ in found), max(high for _, high in found)
