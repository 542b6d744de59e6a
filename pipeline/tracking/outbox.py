"""The outbox: all that trainings and commands write to their runs passes through it on its way to MLflow.

A server gets it from a thread of its own, in order; what it does not take waits in files, one a run, for the server or
for the next command.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient

from pipeline.data.cache import write_whole
from pipeline.errors import TrackingServerGone
from pipeline.masking import mask_passwords
from pipeline.tracking.outage import (
    PATIENCE_SECONDS,
    SECONDS_BETWEEN_LOOKS,
    describe_outage,
    find_outage,
    is_outage,
    is_server,
)
from pipeline.tracking.write import Write

_SUFFIX = ".jsonl"
_log = logging.getLogger(__name__)


class Outbox:
    """Takes writes to the runs of the store ``uri``; those for a server that are not sent yet lie in ``folder``.

    A store that is no server is written to at once. ``say`` gets a line when the server goes and when it is back.
    What lies there is left alone where it may not send.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri, self.folder = uri, folder
        self._shown_uri = mask_passwords(uri)
        self.say: Callable[[str], None] = _log.warning
        self.may_send = True
        self._is_server = is_server(uri)
        self._away_since: float | None = None
        self._noting = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, write: Write) -> None:
        """Send a write, or have it sent.

        Raises:
            MlflowException: a store that is no server does not take it.
        """
        if not self._is_server:
            write.send(MlflowClient(self.uri))
            return
        try:
            self._keep(write)
        except OSError as error:  # a full disk, a folder that cannot be written
            _log.warning("%s cannot be written, so that nothing waits there: %s", self.folder, error)
            write.send(MlflowClient(self.uri))
        else:
            self._send_soon()

    def unsent(self, run_id: str) -> list[Write]:
        """Return the writes to a run that wait, in order."""
        return self._read(self._path(run_id)) if self._is_server else []

    def n_unsent(self) -> int:
        """Return how many writes wait, to whatever run."""
        return sum(len(self._read(path)) for path in self._paths())

    def flush(self, seconds: float = 10.0) -> int:
        """Wait until all is sent, for some seconds, or until the server is known to be away; return what is left."""
        until = time.monotonic() + (seconds if self.may_send else 0.0)
        while (n_left := self.n_unsent()) and self._away_since is None and time.monotonic() < until:
            self._send_soon()
            time.sleep(0.02)
        return n_left

    def answers(self) -> bool:
        """Tell whether the store answers; one that is away is looked for every two seconds."""
        if self._away_since is not None:
            self._send_soon()
        elif self._is_server and (outage := find_outage(self.uri)):
            self._note_outage(outage)
        return self._away_since is None

    def is_open(self) -> bool:
        """Tell whether a run can be made now.

        Raises:
            TrackingServerGone: the server has been away for ten minutes.
        """
        is_open = self.answers()
        if self._away_since is not None and time.monotonic() - self._away_since > PATIENCE_SECONDS:
            self.require_answer()
        return is_open

    def require_answer(self) -> None:
        """Check that the store answers.

        Raises:
            TrackingServerGone: it does not; the message says what becomes of the writes that wait.
        """
        if not self.answers():
            raise TrackingServerGone(f"the tracking server {self._shown_uri} does not answer; {self.kept()}")

    def kept(self) -> str:
        """Say how much is unsent, where it lies and when it will be sent."""
        n_kept = self.n_unsent()
        return f"{n_kept} writes to the tracking server are kept in {self.folder}; the next command sends them first"

    def _note_outage(self, reason: str) -> None:
        with self._noting:
            was_away = self._away_since is not None
            self._away_since = self._away_since or time.monotonic()
        if not was_away:
            self.say(
                f"the tracking server {self._shown_uri} does not answer ({mask_passwords(reason)[:120]}): trainings go "
                f"on, and what they log is kept in {self.folder}"
            )

    def _send_soon(self) -> None:
        if not self.may_send:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._send_for_ever, daemon=True)
            self._thread.start()
        self._wake.set()

    def _send_for_ever(self) -> None:
        while True:
            try:
                self._send_next()
            except OSError as error:  # the files cannot be read or written now
                _log.warning("what is unsent in %s could not be sent: %s", self.folder, error)

    def _send_next(self) -> None:
        """Wait for something to send, or for a server that is away, and send all."""
        if self._away_since is None:
            self._wake.wait()
            self._wake.clear()
            self._send_all()
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)
        n_kept = self.n_unsent()
        if not find_outage(self.uri) and self._send_all():
            with self._noting:
                self._away_since = None
            self.say(f"the tracking server is back, and has got the {n_kept} writes that were kept for it")

    def _send_all(self) -> bool:
        """Send all that waits; return whether the server takes writes."""
        return all(self._send_file(path) for path in self._paths())

    def _send_file(self, path: Path) -> bool:
        """Send the writes to a run, unless another process is at it; return whether the server takes them."""
        lock = FileLock(path.with_suffix(".sending"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        with lock:
            while waiting := self._read(path):
                n_sent = self._send(waiting)
                self._forget(path, n_sent)
                if n_sent < len(waiting):
                    return False
            Path(lock.lock_file).unlink(missing_ok=True)
        return True

    def _send(self, writes: list[Write]) -> int:
        """Send writes in order; return how many are done with, those that the server refuses for good included."""
        client = MlflowClient(self.uri)
        for number, write in enumerate(writes):
            try:
                write.send(client)
            except Exception as error:
                if is_outage(error):
                    self._note_outage(describe_outage(error))
                    return number
                _log.warning("%s refuses a write to run %s, which is dropped: %s", self.uri, write.run_id, error)
        return len(writes)

    def _keep(self, write: Write) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._files_locked(), self._path(write.run_id).open("a", encoding="utf-8") as file:
            file.write(write.to_line())

    def _forget(self, path: Path, n_sent: int) -> None:
        with self._files_locked():
            rest = path.read_text(encoding="utf-8").splitlines(keepends=True)[n_sent:]
            if rest:
                write_whole(path, [line.encode() for line in rest])
            else:
                path.unlink()

    def _read(self, path: Path) -> list[Write]:
        if not path.exists():
            return []
        with self._files_locked():
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [Write.from_line(line) for line in lines]

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}")) if self._is_server else []

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}{_SUFFIX}"

    def _files_locked(self) -> FileLock:
        return FileLock(self.folder / "files.lock")


@cache
def outbox_at(uri: str, folder: Path) -> Outbox:
    """Return this process's outbox for a store."""
    return Outbox(uri, folder)
