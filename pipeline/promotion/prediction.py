"""Label image files with the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.data.image_set import Array
from pipeline.data.photographs.decoding import decode_to_fit, in_threads, read_picture
from pipeline.data.photographs.files import find_pictures
from pipeline.disk import check_folder
from pipeline.errors import DataError
from pipeline.evaluation.canvas import draw_gallery
from pipeline.process import call_in_fresh_process
from pipeline.settings import PredictSettings
from pipeline.tracking.loaded_model import LoadedModel, load_model
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.store import TrackingStore, find_store

_MAX_THUMBNAILS, _THUMBNAIL_SIDE = 60, 160
_BATCH_SIZE = 500


@dataclass(frozen=True, eq=False)
class Prediction:
    """The labels of image files, and the files that hold them.

    ``table`` has a row for each file with its class and probabilities, ``unreadable`` the reason by file.
    """

    version: Version
    table: pd.DataFrame
    unreadable: dict[str, str]
    csv: Path
    sheet: Path


@dataclass(eq=False)
class _Labels:
    """Tables of the batches labelled so far, unreadable files with their reasons, and the first thumbnails."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    thumbnails: list[Array] = field(default_factory=list)


def predict(settings: PredictSettings) -> Prediction:
    """Label an image file or those of a folder, and write ``predictions.csv`` and ``predictions.png``.

    Raises:
        SettingError: there is no champion of that name.
        FolderError: the output or the store cannot be written.
        DataError: there is no readable image file.
        PipelineError: the champion cannot be loaded.
    """
    store = find_store()
    version = Registry(store, settings.name).require_champion()
    files = _find_files(settings.input)
    check_folder(settings.output, fix="change --output")
    store.check_writable()
    store.studies.mkdir(parents=True, exist_ok=True)
    log = store.studies / f"predict-{settings.name}.log"
    labels = call_in_fresh_process(_label, store, version.uri, files, log=log)
    if not labels.tables:
        raise DataError(
            f"input must hold a readable image file, got '{settings.input}' with none among {len(files)} "
            f"({next(iter(labels.unreadable.values()))}); change --input"
        )
    table = pd.concat(labels.tables, ignore_index=True)
    csv, sheet = settings.output / "predictions.csv", settings.output / "predictions.png"
    settings.output.mkdir(parents=True, exist_ok=True)
    table.to_csv(csv, index=False)
    _draw(table, labels.thumbnails, version).savefig(sheet)
    return Prediction(version, table, labels.unreadable, csv, sheet)


def _find_files(place: Path) -> dict[Path, str]:
    """Return the image files with the name to show for each: its path below the folder, or its own name."""
    paths = find_pictures(place)
    if not paths:
        raise DataError(
            f"input must hold image files, got the folder '{place}' without a file called .png, .jpg or the like; "
            "change --input"
        )
    return {path: path.relative_to(place).as_posix() if place.is_dir() else path.name for path in paths}


def _label(store: TrackingStore, uri: str, files: Mapping[Path, str]) -> _Labels:
    """Label files, with the names to show for them, by the model at ``uri``; imports TensorFlow.

    Raises:
        DataError: the model does not take images.
    """
    model = load_model(store, uri)
    if len(model.input_shape) != 3 or model.input_shape[-1] not in (1, 3):
        raise DataError(
            f"predict needs a model of grey or RGB images, but {uri} takes arrays of shape {model.input_shape}; load "
            "it with mlflow.pyfunc.load_model"
        )
    labels, paths = _Labels(), list(files)
    for start in range(0, len(paths), _BATCH_SIZE):
        _label_batch(labels, model, {path: files[path] for path in paths[start : start + _BATCH_SIZE]})
    return labels


def _label_batch(labels: _Labels, model: LoadedModel, files: Mapping[Path, str]) -> None:
    read = dict(zip(files, in_threads(partial(_read, input_shape=model.input_shape), list(files)), strict=True))
    pixels = {path: found for path, found in read.items() if not isinstance(found, str)}
    labels.unreadable |= {files[path]: found for path, found in read.items() if isinstance(found, str)}
    if not pixels:
        return
    table = model.table(_in_range(np.stack(list(pixels.values())), model))
    table.insert(0, "file", [files[path] for path in pixels])
    labels.tables.append(table)
    first = list(pixels)[: _MAX_THUMBNAILS - len(labels.thumbnails)]
    labels.thumbnails += in_threads(partial(decode_to_fit, side=_THUMBNAIL_SIDE), first)


def _read(path: Path, *, input_shape: tuple[int, ...]) -> Array | str:
    """Return the image as the model takes it, or the reason why it cannot be read."""
    try:
        return read_picture(path, input_shape)
    except Exception as error:  # Pillow raises anything
        return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _in_range(pixels: Array, model: LoadedModel) -> Array:
    """Scale bytes to the pixel range of the training images."""
    low, high = model.pixel_range
    return pixels.astype(np.float32) * ((high - low) / 255) + low


def _draw(table: pd.DataFrame, thumbnails: list[Array], version: Version) -> Figure:
    rows = table.head(_MAX_THUMBNAILS).itertuples(index=False)
    captions = [f"{_shorten(str(row[0]))}\n{row[1]} ({row[2]:.0%})" for row in rows]
    n_shown, n_all = len(captions), len(table)
    which = f"{n_all} images" if n_shown == n_all else f"the first {n_shown} of {n_all} images"
    title = f"{which}, labelled by {version.name} version {version.number}"
    return draw_gallery(thumbnails, captions, pixel_range=(0, 255), title=title)


def _shorten(name: str, length: int = 22) -> str:
    """Return the end of a long file name, which tells it from others."""
    return name if len(name) <= length else f"...{name[3 - length :]}"
