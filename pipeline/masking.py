"""Passwords in URLs of databases and servers: never logged, never printed."""

from __future__ import annotations

import logging
import re

_USER_INFO = re.compile(r"(://[^:/@\s]*):.*@")  # to the last @: a password may have one, too
_PARAMETER = re.compile(r"([?&][^=&\s]*(?:password|passwd|pwd)[^=&\s]*=)[^&\s]*", re.IGNORECASE)


def mask_passwords(text: str) -> str:
    """Return ``text`` with ``***`` for each password of a URL: ``user:password@`` or ``?password=...``."""
    return _PARAMETER.sub(r"\1***", _USER_INFO.sub(r"\1:***@", text))


class MaskingFormatter(logging.Formatter):
    """Formats messages of libraries, their tracebacks included, with passwords masked."""

    def __init__(self) -> None:
        super().__init__(logging.BASIC_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a message."""
        return mask_passwords(super().format(record))
