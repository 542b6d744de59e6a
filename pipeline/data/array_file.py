"""Arrays in ``.npy`` files that other processes may read meanwhile: written part by part, mapped into memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy


def map_array(path: Path, *, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any] | None:
    """Return the array in ``path``, read as it is used; None where there is none, another or a damaged one."""
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return array if array.shape == shape and array.dtype == dtype else None


def write_array(path: Path, parts: Iterable[npt.NDArray[Any]], *, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Write an array whose ``parts`` come along its first axis.

    Raises:
        OSError: the file cannot be written; none is left.
    """
    write_whole(path, _as_npy(parts, shape, np.dtype(dtype)))


def write_whole(path: Path, content: Iterable[bytes]) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        OSError: it cannot be written; none is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _as_npy(parts: Iterable[npt.NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[bytes]:
    """Yield an ``.npy`` piece by piece; where a file is mapped to be filled, a full disk ends the process."""
    header = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, described)
    yield header.getvalue()
    for part in parts:
        yield np.ascontiguousarray(part, dtype).tobytes()
