"""Call a function in a process of its own: nothing that this one holds, or that breaks there, changes the other."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.training.device import prepare_environment
from pipeline.workers.fitting import describe_failure
from pipeline.workers.worker import describe_exit, redirect_output


def call_in_fresh_process(function: Callable[..., Any], *arguments: Any, log: Path) -> Any:
    """Return what a function of some module returns for ``arguments``, all of which can be pickled.

    What libraries print there goes to ``log``.

    Raises:
        PipelineError: the function raised an error, or the process died before it had an answer.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, log, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        is_fine, answer = ours.recv()
    except EOFError as error:
        process.join()
        raise PipelineError(f"a process {describe_exit(process.exitcode)} in {function.__name__}; see {log}") from error
    finally:
        process.kill()
        process.join()
        ours.close()
    if not is_fine:
        raise answer
    return answer


def _answer(
    connection: Connection[Any, Any], log: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller ends this process
    redirect_output(log)
    prepare_environment()
    try:
        answer = (True, function(*arguments))
    except Exception as error:  # the caller decides
        answer = (False, error if isinstance(error, PipelineError) else PipelineError(describe_failure(error)))
    connection.send(answer)
