"""A study's database that is gone for a while: whatever is asked of it waits until it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from pipeline.masking import mask_passwords

PATIENCE_SECONDS = 600.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 10.0


@dataclass
class PatientStorage:
    """Passes everything on to a database's storage, again and again while its connection is lost.

    ``say`` gets a line when the waiting begins and when it is over. After ``seconds`` of it the error is raised, and
    those that follow at once. Each method of Optuna's storage is one transaction; of one whose answer alone was lost,
    a trial's end is recognized when it is repeated, and all others but a new trial can be repeated.
    """

    storage: Any
    say: Callable[[str], None]
    seconds: float = PATIENCE_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _has_given_up: bool = False

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage; a method waits where it is needed."""
        found = getattr(self.storage, name)
        return partial(self._call, found) if callable(found) else found

    def _call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        start, wait, n_errors = self.clock(), 0.0, 0
        while True:
            try:
                result = method(*arguments, **named)
            except UpdateFinishedTrialError:
                if not n_errors:
                    raise
                result = True  # it was written before, and only the answer was lost
            except Exception as error:
                if not is_connection_lost(error) or self._is_over(start):
                    raise
                n_errors += 1
                if n_errors == 2:  # the first time, it may have been no more than an old connection
                    self.say(f"the study's database does not answer, and the study waits for it: {_reason(error)}")
                self.sleep(wait)
                wait = min(_LONGEST_WAIT_SECONDS, 2 * wait or _FIRST_WAIT_SECONDS)
                continue
            if n_errors > 1:
                self.say(f"the study's database is back after {self.clock() - start:.0f} s, and the study goes on")
            return result

    def _is_over(self, start: float) -> bool:
        """Tell whether there is no patience left; it is used up once."""
        self._has_given_up |= self.clock() - start >= self.seconds
        return self._has_given_up


def patient(storage: RDBStorage, say: Callable[[str], None]) -> BaseStorage:
    """Return a storage that waits for its database, with Optuna's cache of finished trials before it."""
    return _CachedStorage(cast(RDBStorage, PatientStorage(storage, say)))


def is_connection_lost(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, is of the connection to a database or of its server."""
    while error is not None:
        is_invalid = isinstance(error, DBAPIError) and error.connection_invalidated
        if is_invalid or isinstance(error, OperationalError | InterfaceError):
            return True
        error = error.__cause__
    return False


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return mask_passwords((str(error).strip() or type(error).__name__).splitlines()[0])
