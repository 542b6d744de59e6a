"""The documents' hand-made models, by name."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import ModelFileError, did_you_mean
from pipeline.knobs.table import Knobs
from pipeline.model.model_file.description import ModelFile
from pipeline.model.model_file.reader import read_model_file
from pipeline.paths import DOCUMENTS_DIR


def document_names() -> tuple[str, ...]:
    """Return the names of all hand-made models of the documents."""
    return tuple(sorted(path.stem for path in DOCUMENTS_DIR.glob("*.yaml")))


def read_document(name: str) -> ModelFile:
    """Return the documents' hand-made model called ``name``."""
    return read_model_file(DOCUMENTS_DIR / f"{name}.yaml")


def is_document(name: str) -> bool:
    """Tell whether the documents have a hand-made model called ``name``."""
    return Path(name).name == name and os.path.isfile(DOCUMENTS_DIR / f"{name}.yaml")


def find_point(name: str) -> Knobs:
    """Return all knobs of the documents' hand-made model called ``name``, as a point of a search space.

    Raises:
        ModelFileError: there is no such model, or knobs cannot describe it.
    """
    if not is_document(name):
        raise ModelFileError(
            f"a first trial must be knobs, or the name of a hand-made model of the documents, got '{name}'; "
            f"{did_you_mean(name, document_names())}"
        )
    point = read_document(name).as_point()
    if point is None:
        raise ModelFileError(f"knobs cannot describe the layers of '{name}'; train it with baselines instead")
    return point
