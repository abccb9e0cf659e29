"""Keeps secrets out of the log lines, whatever a caller puts there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from structlog.typing import EventDict, WrappedLogger

SECRET_NAMES = re.compile(r"password|secret|token|authorization|api_?key|cookie", re.IGNORECASE)
# Counts such as `usage.total_tokens` are no secrets.
HARMLESS_NAMES = re.compile(r"tokens$|_tokens|tokens_", re.IGNORECASE)
URL_PASSWORD = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@", re.IGNORECASE)
BEARER = re.compile(r"\b(Bearer)\s+\S+", re.IGNORECASE)
WELCOME_LINK = re.compile(r"(/welcome/)[^\s'\"<>]+")
HIDDEN = "***"


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: values under secret names, bearer tokens, welcome links and URL passwords go.

    So does the request object that Django adds to its own lines: its text holds the address unread.
    """
    del logger, method
    return {name: _clean(name, value) for name, value in event.items() if name != "request"}


def _clean(name: str, value: Any) -> Any:
    if SECRET_NAMES.search(name) and not HARMLESS_NAMES.search(name):
        return HIDDEN
    if isinstance(value, str):
        value = URL_PASSWORD.sub(rf"\g<head>{HIDDEN}@", value)
        return WELCOME_LINK.sub(rf"\1{HIDDEN}", BEARER.sub(rf"\1 {HIDDEN}", value))
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    return value
