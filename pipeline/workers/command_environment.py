"""What processes on other machines need of the environment that a command was started in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.paths import user_data_dir

_PREFIXES = ("MLFLOW_", "PIPELINE_")
_OF_THE_COMMAND_ALONE = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")


@dataclass(frozen=True)
class CommandEnvironment:
    """A working folder, and the variables that tell how to reach the tracking store and the files of studies.

    ``variables`` may have passwords: they are not for people.
    """

    folder: Path
    variables: Mapping[str, str] = field(repr=False)

    @classmethod
    def of_this_process(cls) -> CommandEnvironment:
        """Return the environment of this process."""
        own = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
        for name in _OF_THE_COMMAND_ALONE:
            own.pop(name, None)
        return cls(Path.cwd(), {**own, "XDG_DATA_HOME": str(user_data_dir().absolute())})

    def enter(self) -> None:
        """Take the environment over, the folder where this machine has it."""
        os.environ.update(self.variables)
        with suppress(OSError):
            os.chdir(self.folder)
