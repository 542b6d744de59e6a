"""ImageNet weights of backbones: from the data folder, from Keras's cache, or downloaded by Keras."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import BackboneError, PipelineError
from pipeline.model.backbones import BACKBONES
from pipeline.paths import keras_home
from pipeline.process import call_in_fresh_process


def require_weights(name: str, data_dir: Path) -> Path:
    """Return the file with the ImageNet weights of a backbone without its top; download it if it is missing.

    Raises:
        BackboneError: it is missing and cannot be downloaded, or is not a complete HDF5 file.
    """
    if (path := _find(name, data_dir)) is not None:
        return _checked(name, path)
    reason = "no file came"
    try:
        call_in_fresh_process(_download, name, log=Path(os.devnull))
    except PipelineError as error:
        reason = str(error)
    if (path := _find(name, data_dir)) is None:
        raise BackboneError(
            f"backbone_weights imagenet needs a file with the weights of {name}, found in neither '{data_dir}' nor "
            f"'{_keras_file(name).parent}', and Keras could not download it ({reason}); put "
            f"{name}_notop.weights.h5 or {BACKBONES[name].weights_file} into '{data_dir}', or ask for random ones "
            "with backbone_weights: random"
        )
    return _checked(name, path)


def _find(name: str, data_dir: Path) -> Path | None:
    own = BACKBONES[name].weights_file
    places = [data_dir / f"{name}_notop.weights.h5", data_dir / f"{name}_notop.h5", data_dir / own, _keras_file(name)]
    return next((path for path in places if path.is_file()), None)


def _keras_file(name: str) -> Path:
    return keras_home() / "models" / BACKBONES[name].weights_file


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
