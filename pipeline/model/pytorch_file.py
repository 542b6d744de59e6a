"""Read the tensors of a PyTorch file of the format before version 1.6, without PyTorch and without running its code."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_N_HEADERS = 3  # magic number, protocol version, sizes of types


class ForeignContentError(ValueError):
    """A file holds something else than named tensors."""


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the named tensors of a file that ``torch.save`` has written, a state dictionary of a network.

    The format is a pickle, which may name any function and have it called: here those alone that make tensors can be
    named, and none of PyTorch's is called. https://docs.python.org/3/library/pickle.html#restricting-globals

    Raises:
        ForeignContentError: the file holds anything else, or is cut off.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            *_, tensors, keys = [_TensorUnpickler(file).load() for _ in range(_N_HEADERS + 2)]
            dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
            storages = {key: _read_storage(file, dtypes[key]) for key in keys}
            return {name: tensor.of(storages[tensor.storage.key]) for name, tensor in tensors.items()}
        except (pickle.UnpicklingError, EOFError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ForeignContentError(f"'{path}' must hold named tensors and nothing else ({error})") from error


@dataclass(frozen=True)
class _Storage:
    """A run of numbers that follows the pickles, known by its ``key``."""

    dtype: np.dtype[Any]
    key: str


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; ``offset`` and ``strides`` count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(numbers):
            raise ValueError("a tensor lies outside of its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)


class _TensorUnpickler(pickle.Unpickler):
    """Loads what a file of tensors needs, and refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            **{("torch", storage): storage for storage in _DTYPES},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, told: Any) -> _Storage:
        _, kind, key, *_ = told
        return _Storage(_DTYPES[kind], key)


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:  # fmt: skip
    return _Tensor(storage, offset, shape, strides)


def _read_storage(file: IO[bytes], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    n_numbers = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(n_numbers * dtype.itemsize), dtype, n_numbers)
