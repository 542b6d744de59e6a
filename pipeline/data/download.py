"""Download a named data set through Keras, in a separate process: TensorFlow's messages are not shown.

Run as ``python -m pipeline.data.download NAME FILE``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DataError


def download(name: str, path: Path) -> None:
    """Fetch a data set once and keep it as the ``.npz`` ``path``, of which later reads can leave out the test images.

    Raises:
        DataError: the download failed; the message says which file to put where.
    """
    reason = run_apart("pipeline.data.download", name, str(path))
    if reason is not None:
        raise DataError(
            f"data set '{name}' is not at '{path}', and Keras could not download it ({reason}); put a file {name}.npz "
            f"with x_train, y_train, x_test and y_test into '{path.parent}', or name its folder with --data-dir"
        )


def run_apart(module: str, *arguments: str) -> str | None:
    """Run ``python -m module`` in a separate process; return the last line of its stderr where it fails, else None."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return None
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason given"


def _fetch(name: str, path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
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


if __name__ == "__main__":
    _fetch(sys.argv[1], Path(sys.argv[2]))
