"""Label image files with the champion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.data.photographs.files import find_pictures
from pipeline.errors import DataError
from pipeline.evaluation.canvas import draw_gallery
from pipeline.promotion.labelling import MOST_SHOWN, Labels, label
from pipeline.settings import PredictSettings
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.store import find_store
from pipeline.workers.fresh_process import call_in_fresh_process


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the champion says of pictures, and the files that say so."""

    version: Version
    table: pd.DataFrame
    unreadable: dict[str, str]
    csv: Path
    sheet: Path


def predict(settings: PredictSettings) -> Prediction:
    """Label a picture, or those of a folder, and write ``predictions.csv`` and ``predictions.png``.

    Raises:
        SettingError: there is no champion of that name.
        DataError: there is no picture that can be read.
        PipelineError: the champion cannot be loaded.
    """
    store = find_store()
    version = Registry(store, settings.name).require_champion()
    names = _find(settings.input.expanduser())
    store.studies.mkdir(parents=True, exist_ok=True)
    log = store.studies / f"predict-{settings.name}.log"
    labels = call_in_fresh_process(label, store, version.uri, names, log=log)
    assert isinstance(labels, Labels)
    if not labels.tables:
        raise DataError(
            f"input must hold a picture that can be read, got '{settings.input}' with none among {len(names)} "
            f"({next(iter(labels.unreadable.values()))}); change --input"
        )
    csv, sheet = settings.output / "predictions.csv", settings.output / "predictions.png"
    settings.output.mkdir(parents=True, exist_ok=True)
    labels.table.to_csv(csv, index=False)
    _draw(labels, version).savefig(sheet)
    return Prediction(version, labels.table, labels.unreadable, csv, sheet)


def _find(place: Path) -> dict[Path, str]:
    """Return the pictures, and what to call each: its path below the folder, or its file's name."""
    if not place.exists():
        raise DataError(f"input must be a picture or a folder of them, got '{place}', which is not there; check it")
    paths = find_pictures(place)
    if not paths:
        raise DataError(
            f"input must hold pictures, got the folder '{place}' without a file called .png, .jpg or the like; change "
            "--input"
        )
    return {path: path.relative_to(place).as_posix() if place.is_dir() else path.name for path in paths}


def _draw(labels: Labels, version: Version) -> Figure:
    rows = labels.table.head(MOST_SHOWN).itertuples(index=False)
    captions = [f"{_short(row[0])}\n{row[1]} ({row[2]:.0%})" for row in rows]
    n_shown, n_all = len(captions), len(labels.table)
    which = f"{n_all} pictures" if n_shown == n_all else f"the first {n_shown} of {n_all} pictures"
    return draw_gallery(
        labels.shown,
        captions,
        pixel_range=(0, 255),
        title=f"{which}, labelled by {version.name} version {version.number}",
    )


def _short(name: object, most: int = 22) -> str:
    """Return a file's name with room for it; its end tells it from others."""
    text = str(name)
    return text if len(text) <= most else f"...{text[3 - most :]}"
