"""A tracking server of a few lines: it keeps what it is sent, and can be made to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RUN = {"info": {"run_id": "1", "status": "RUNNING"}, "data": {}}


class StubServer(ThreadingHTTPServer):
    """Answers with ``status``; ``sent`` has the ends of the paths and the bodies of the POST requests that it took.

    Where it is healthy, it says so whatever the status.
    """

    daemon_threads = True
    status = 200
    error_code = ""
    is_healthy = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[tuple[str, dict[str, Any]]] = []

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def points(self) -> list[tuple[str, int]]:
        """Return name and step of all values of metrics, in the order in which they came."""
        batches = [body.get("metrics", []) for path, body in self.sent if path == "runs/log-batch"]
        return [(point["key"], int(point["step"])) for batch in batches for point in batch]


class _Handler(BaseHTTPRequestHandler):
    server: StubServer

    def do_GET(self) -> None:
        if self.server.is_healthy and self.path == "/health":
            self.send_response(200)
            self.end_headers()
        else:
            self._answer({"run": RUN})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.sent.append((self.path.split("/mlflow/")[1], body))
        self._answer({"run_info": RUN["info"]})

    def _answer(self, body: dict[str, Any]) -> None:
        if self.server.status != 200:
            body = {"error_code": self.server.error_code, "message": "no"}
        text = json.dumps(body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def stub_server() -> Iterator[StubServer]:
    """Run a server in a thread."""
    with StubServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
