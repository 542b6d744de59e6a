"""All exceptions of the project, with the exit code that each ends a command with.

PipelineError                       (1: an unforeseen failure)
├── InputError                      (2: unusable input; nothing was written)
│   ├── SettingError                an option of the command line
│   ├── SpaceError                  a search space file
│   ├── ModelFileError              the file of a hand-made model
│   ├── OutputError                 a network whose output does not fit the data's classes
│   ├── BackboneError               a backbone: its images, or its weights
│   ├── DataError                   a data set
│   └── FolderError                 a folder that cannot be written, or has no room
├── DiskFull                        (1: no space was left; the same command goes on when there is some)
├── TrainingsFailed                 (1: training after training failed)
├── TrackingServerGone              (1: what is unsent is kept)
└── GateRefused                     (3: a candidate did not become champion)

The message of each is one line: the rule, the value received, the fix. TrainingStopped, in training/ending.py, stands
beside the tree: it says that a training ended before its first epoch, and never reaches the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.masking import mask_passwords


class PipelineError(Exception):
    """Base of all errors that the command line shows as one line."""

    exit_code = 1


class InputError(PipelineError):
    """Input that cannot be used; raised before anything is written."""

    exit_code = 2


class SettingError(InputError):
    """An option whose value cannot be used."""


class SpaceError(InputError):
    """A search space file that cannot be used."""


class ModelFileError(InputError):
    """The file of a hand-made model that cannot be used."""


class OutputError(InputError):
    """A network whose output does not fit the classes of the data."""


class BackboneError(InputError):
    """A backbone that does not take the images, or whose weights cannot be had."""


class DataError(InputError):
    """A data set that cannot be used."""


class FolderError(InputError):
    """A folder that cannot be written, or in which there is not enough room."""


class DiskFull(PipelineError):  # noqa: N818 - names the event, as Optuna's TrialPruned does
    """A disk without space, in the middle of the work: what was at work waits to go on."""


class TrainingsFailed(PipelineError):  # noqa: N818 - names the event, as Optuna's TrialPruned does
    """Trainings that fail one after another."""


class TrackingServerGone(PipelineError):  # noqa: N818 - names the event, as Optuna's TrialPruned does
    """A tracking server that does not answer any more."""


class GateRefused(PipelineError):  # noqa: N818 - names the event, as Optuna's TrialPruned does
    """A candidate that did not become champion; what it is compared with stays as it was."""

    exit_code = 3


_WAYS_TO_READ: dict[type[Exception], str] = {
    PermissionError: "give yourself the permission to read it",
    IsADirectoryError: "give the path of a file in that folder",
    UnicodeDecodeError: "save it as UTF-8 text",
    MemoryError: "free memory, or make it smaller",
}


def did_you_mean(name: object, valid_names: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest valid name, or the list of all of them."""
    names = sorted(valid_names)
    near = nearest(name, names)
    return f"did you mean '{near}'?" if near else f"use one of: {', '.join(names)}"


def nearest(name: object, valid_names: Iterable[str]) -> str | None:
    """Return the valid name that is spelled most like ``name``, or None where none is near."""
    names = {valid.lower(): valid for valid in valid_names}
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.6)
    return names[near[0]] if near else None


def first_line(error: Exception) -> str:
    """Return what ``error`` says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def way_to_read(error: Exception, *, otherwise: str) -> str:
    """Return what makes a file readable, by the ``error`` of reading it; ``otherwise`` where that does not tell."""
    return next((way for kind, way in _WAYS_TO_READ.items() if isinstance(error, kind)), otherwise)


def describe_failure(error: Exception) -> str:
    """Return one line of at most 500 characters for an unforeseen error; running out of memory is called so.

    Passwords in it are masked.
    """
    lines = mask_passwords(str(error)).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    return f"out of memory ({text})" if is_memory else text
