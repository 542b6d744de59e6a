"""Run one competitor's task, or evaluate what it holds: ``python -m ...competitors run|evaluate TASK.json``."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path


def main(action: str, task_file: str) -> None:
    """Pin this process to its core, then do what is asked; nothing heavy may be imported before."""
    from ..cores import pin
    from .registry import COMPETITORS
    from .task import read_task

    task = read_task(Path(task_file))
    pin(task.core)
    if action == "evaluate":
        from .answer import write_answer

        return write_answer(task)
    from .progress import BudgetOver

    with contextlib.suppress(BudgetOver):
        module = COMPETITORS[task.competitor].module
        importlib.import_module(f"{__package__}.{module}").run(task)


if __name__ == "__main__":
    main(*sys.argv[1:])
