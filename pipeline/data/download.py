"""Download a named data set through Keras, in a separate process: TensorFlow's messages are not shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.disk import check_folder
from pipeline.errors import DataError, PipelineError
from pipeline.process import call_in_fresh_process


def download(name: str, path: Path) -> None:
    """Fetch a data set once and keep it as the ``.npz`` ``path``, of which later reads can leave out the test images.

    Raises:
        FolderError: the folder cannot be written.
        DataError: the download failed; the message says which file to put where.
    """
    check_folder(path.parent, fix="change --data-dir, or its permissions")
    try:
        call_in_fresh_process(_fetch, name, path, log=Path(os.devnull))
    except PipelineError as error:
        raise DataError(
            f"data set '{name}' is not at '{path}', and Keras could not download it ({error}); put a file {name}.npz "
            f"with x_train, y_train, x_test and y_test into '{path.parent}', or name its folder with --data-dir"
        ) from error


def _fetch(name: str, path: Path) -> None:
    import keras

    (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    arrays: dict[str, Any] = {
        "x_train": x_train,
        "y_train": y_train.ravel(),
        "x_test": x_test,
        "y_test": y_test.ravel(),
    }
    np.savez(partial, **arrays)
    partial.replace(path)
