"""Outages of a tracking server: which errors mean one, whether it is over, and waiting for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

PATIENCE_SECONDS = 600.0
SECONDS_BETWEEN_LOOKS = 2.0
_PING_SECONDS = 4
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500

Answer = TypeVar("Answer")
OnWait = Callable[[], None]
"""Called while a server does not answer."""


def do_nothing() -> None:
    """Wait without more."""


def is_server(uri: str) -> bool:
    """Tell whether a tracking store is a server, and not a database or folder that this process opens itself."""
    return uri.startswith(("http://", "https://"))


def is_outage(error: BaseException) -> bool:
    """Tell whether an error of a request means that the server is away, or has failed itself."""
    if isinstance(error, MlflowException):
        return _is_of_the_server(error.get_http_status_code())
    response = getattr(error, "response", None)
    if response is not None:
        return _is_of_the_server(response.status_code)
    return isinstance(error, OSError) and error.errno is None  # those of requests have no number of the system


def _is_of_the_server(status: int) -> bool:
    return status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS


def describe_outage(error: BaseException) -> str:
    """Return the system's reason for an error of a request, which MLflow quotes with three others around it."""
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, OSError) and first.strerror:
            return first.strerror
        if isinstance(first, TimeoutError):
            return "no answer in time"
        first = first.__cause__ or first.__context__
    return str(error).strip().splitlines()[0]


def find_outage(uri: str) -> str:
    """Ask a server for a sign of life; return what is wrong in a line, empty where it answers within seconds."""
    try:
        answer = http_request(
            get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=_PING_SECONDS, raise_on_status=False
        )
    except MlflowException as error:
        return describe_outage(error)
    return f"it answers with status {answer.status_code}" if _is_of_the_server(answer.status_code) else ""


def wait_out(uri: str, act: Callable[[], Answer], on_wait: OnWait) -> Answer:
    """Return what ``act`` returns; where a server does not answer, try again when it does, for ten minutes.

    ``on_wait`` is called every two seconds meanwhile, and may raise.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except Exception as error:
            if not (is_server(uri) and is_outage(error)) or time.monotonic() > until:
                raise
        on_wait()
        while find_outage(uri) and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            on_wait()
        time.sleep(SECONDS_BETWEEN_LOOKS)
