"""Read pictures and have a registered model label them: the part of ``predict`` that has a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.image_set import Array
from pipeline.data.photographs.decoding import decode_to_fit, in_threads, read_picture
from pipeline.errors import DataError
from pipeline.tracking.loaded_model import LoadedModel, load_model
from pipeline.tracking.store import TrackingStore

MOST_SHOWN = 60
_SIDE_SHOWN = 160
_FILES_AT_ONCE = 500


@dataclass(eq=False)
class Labels:
    """A row a picture with file, class and probabilities; ``unreadable`` files with why; small pictures to look at."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    shown: list[Array] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """All rows."""
        return pd.concat(self.tables, ignore_index=True) if self.tables else pd.DataFrame()


def label(store: TrackingStore, uri: str, names: dict[Path, str]) -> Labels:
    """Label pictures, known by ``names``, with the model at ``uri``; imports TensorFlow.

    Raises:
        DataError: the model takes no pictures.
    """
    model = load_model(store, uri)
    if len(model.input_shape) != 3 or model.input_shape[-1] not in (1, 3):
        raise DataError(
            f"predict is for models of grey or coloured pictures, but {uri} takes arrays of shape {model.input_shape}; "
            "load it with mlflow.pyfunc.load_model"
        )
    labels, paths = Labels(), list(names)
    for start in range(0, len(paths), _FILES_AT_ONCE):
        part = paths[start : start + _FILES_AT_ONCE]
        read = dict(zip(part, in_threads(partial(_read, input_shape=model.input_shape), part), strict=True))
        pixels = {path: found for path, found in read.items() if not isinstance(found, str)}
        labels.unreadable |= {names[path]: found for path, found in read.items() if isinstance(found, str)}
        if pixels:
            table = model.table(_in_range(np.stack(list(pixels.values())), model))
            table.insert(0, "file", [names[path] for path in pixels])
            labels.tables.append(table)
            shown = list(pixels)[: MOST_SHOWN - len(labels.shown)]
            labels.shown += in_threads(partial(decode_to_fit, side=_SIDE_SHOWN), shown)
    return labels


def _read(path: Path, *, input_shape: tuple[int, ...]) -> Array | str:
    """Return a picture as the model takes it, or why it cannot be read."""
    try:
        return read_picture(path, input_shape)
    except Exception as error:  # Pillow raises anything
        return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _in_range(pixels: Array, model: LoadedModel) -> Array:
    """Return bytes in the range of the training images."""
    low, high = model.pixel_range
    return pixels.astype(np.float32) * ((high - low) / 255) + low
