"""Ctrl-C and SIGTERM: the first ends a command in order, a second Ctrl-C ends it at once."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
_SHOW_CURSOR = "\x1b[?25h"


@dataclass
class Interrupts:
    """Takes signals: the first and a second Ctrl-C raise KeyboardInterrupt, all others change nothing.

    A SIGTERM after the first changes nothing, since ``mlflow run`` sends one after each Ctrl-C. While ``is_noting``
    the first is only kept in ``taken``. ``at_second`` is called before a second Ctrl-C raises.
    """

    at_second: Callable[[], None] = lambda: None
    is_noting: bool = False
    taken: list[int] = field(default_factory=list)

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.taken.append(number)
        is_first = len(self.taken) == 1
        if is_first and self.is_noting:
            return
        if not is_first and number == signal.SIGINT:
            self.at_second()
        if is_first or number == signal.SIGINT:
            raise KeyboardInterrupt

    def install(self) -> dict[int, object]:
        """Take SIGINT and SIGTERM from now on; return the handlers before."""
        return {number: signal.signal(number, self.take) for number in (signal.SIGINT, signal.SIGTERM)}


def handle_interrupts() -> Interrupts:
    """Have this process, a command, end in order at the first signal, and at once at a second Ctrl-C."""
    interrupts = Interrupts(at_second=end_at_once)
    interrupts.install()
    return interrupts


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Note the first Ctrl-C or SIGTERM in the list that is yielded, so that it interrupts no write.

    Raises:
        KeyboardInterrupt: at a second Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():  # where alone handlers may be set
        yield []
        return
    current = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    interrupts = current if isinstance(current, Interrupts) else Interrupts()
    was_noting, interrupts.is_noting = interrupts.is_noting, True
    before = interrupts.install()
    try:
        yield interrupts.taken
    finally:
        interrupts.is_noting = was_noting
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def end_now(code: int) -> NoReturn:
    """End this process as it would end by itself, but for taking the objects of its libraries apart, for seconds."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def end_at_once() -> NoReturn:
    """End the processes that this one has started, and this one; the next command puts right what is left RUNNING."""
    for child in multiprocessing.active_children():
        child.kill()
    if sys.stdout.isatty():
        print(_SHOW_CURSOR, end="", flush=True)
    os.write(2, b"error: ended at once; the same command puts right what was at work, and goes on\n")
    os._exit(EXIT_INTERRUPTED)
