"""A PostgreSQL server of the tests' own: started, stopped and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "plAnted-5120"
_USER = "postgres"  # as which it runs where the tests run as root, whom it refuses


@dataclass(frozen=True)
class Postgres:
    """A server on a port of this machine; its data are in ``folder``."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, _USER)
        self._run("initdb", "--username=me", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", f"--options={options}", f"--log={self.folder / 'log'}", "--wait", "start")

    def stop(self) -> None:
        """Have the server drop its clients and end, whatever they are doing."""
        self._run("pg_ctl", "--mode=immediate", "--wait", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(self.programs / program), f"--pgdata={self.folder / 'data'}", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server; skip the test where none is installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # which another user can enter, as pytest's own folders cannot
    server = Postgres(programs, folder, port)
    try:
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None
