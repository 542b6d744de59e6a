"""Where files lie: search spaces, data sets, caches, and the files of a study."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CHECKOUT_SPACES = Path(__file__).resolve().parent.parent / "search_spaces"
SPACES_DIR = _CHECKOUT_SPACES if _CHECKOUT_SPACES.is_dir() else Path(sys.prefix) / "share/knobsearch/search_spaces"
DOCUMENTS_DIR = SPACES_DIR / "documents"

CALLER_DIR = "PIPELINE_CALLER_DIR"  # environment variable: the folder where ``mlflow run`` was started
MAX_NAME_LENGTH = 100  # with what is put before and after it, a file's name stays below 255 bytes


def user_path(path: str | Path, *, is_new: bool = False) -> Path:
    """Return a path as a user gives it, with ``~`` expanded; that of an unknown user stays as it is.

    Under ``mlflow run``, which works in the project's folder, a relative path that is there from the folder where the
    user stands means that one, and a new path always does.
    """
    given = Path(os.path.expanduser(path))
    caller = os.environ.get(CALLER_DIR)
    if not caller or given.is_absolute():
        return given
    theirs = Path(caller) / given
    return theirs if is_new or os.path.lexists(theirs) else given


def where(path: str | Path) -> str:
    """Return the folders, as `` in '...'``, in which a relative path was looked for; nothing for an absolute one."""
    if Path(os.path.expanduser(path)).is_absolute():
        return ""
    folders = filter(None, (os.environ.get(CALLER_DIR), os.path.abspath(".")))
    return " in " + " or ".join(f"'{folder}'" for folder in dict.fromkeys(folders))


def note_caller() -> None:
    """Under ``mlflow run``, keep the folder that it was started in, for this process and its workers.

    MLflow does not tell it, and the shell between us overwrites ``PWD``: it is that of the process above the shell.
    """
    if "MLFLOW_RUN_ID" not in os.environ or CALLER_DIR in os.environ or not os.path.exists("MLproject"):
        return
    import psutil

    with suppress(psutil.Error, OSError):  # a process in a container does not see who started it
        above = psutil.Process().parents()
        os.environ[CALLER_DIR] = next(one.cwd() for one in above if one.cmdline()[:2] != ["bash", "-c"])


def default_data_dir() -> Path:
    """Return ``PIPELINE_DATA_DIR``, or Keras's cache of data sets; the folder may be missing."""
    if folder := os.environ.get("PIPELINE_DATA_DIR"):
        return user_path(folder)
    return keras_home() / "datasets"


def keras_home() -> Path:
    """Return the folder of Keras's caches."""
    folder = os.environ.get("KERAS_HOME")
    return Path(folder) if folder else Path.home() / ".keras"


def user_data_dir() -> Path:
    """Return the folder for what users keep: ``XDG_DATA_HOME`` or ``~/.local/share``."""
    folder = os.environ.get("XDG_DATA_HOME")
    return Path(folder) if folder else Path.home() / ".local" / "share"


def cache_dir() -> Path:
    """Return the folder for what can be computed again: ``knobsearch`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    folder = os.environ.get("XDG_CACHE_HOME")
    return (Path(folder) if folder else Path.home() / ".cache") / "knobsearch"


def dataset_name(dataset: str) -> str:
    """Return the short name of a data set: its own, or that of its file or folder."""
    name = user_path(dataset).resolve().name.removesuffix(".npz")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:MAX_NAME_LENGTH] or "data"


def space_path(space: str | None, dataset: str) -> Path:
    """Return the file of the search space: the user's, the data set's own, or the default for its kind."""
    if space is not None:
        return user_path(space)
    is_folder = os.path.isdir(user_path(dataset))
    own = SPACES_DIR / f"{dataset_name(dataset) if is_folder else dataset}.yaml"
    return own if os.path.exists(own) else SPACES_DIR / ("photographs.yaml" if is_folder else "default.yaml")


@dataclass(frozen=True)
class StudyPlaces:
    """The files of one study, all in one folder."""

    folder: Path
    study: str

    @property
    def journal(self) -> Path:
        """Optuna's journal: the study itself."""
        return self.folder / f"{self.study}.journal"

    @property
    def lock(self) -> Path:
        """Held by the one command that coordinates the study."""
        return self.folder / f"{self.study}.lock"

    @property
    def log(self) -> Path:
        """Messages of TensorFlow and other libraries."""
        return self.folder / f"{self.study}.log"
