"""Refuses bodies that are too large before they are read.

Django under ASGI takes in the whole body, to a temporary file of any size, before the first middleware sees
the request. So the limit stands in front of Django, and goes by the length that the client announces: the
server holds it to that. A body without a length is refused, since REST framework would read it as empty.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from aigc.lib.errors import AppError, ErrorCode, TooLarge
from aigc.lib.request_id import HEADER, bind_request_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """An ASGI application around another one: HTTP bodies have at most `limit_bytes` bytes."""

    def __init__(self, application: Application, limit_bytes: int) -> None:
        self._application, self._limit_bytes = application, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 411 or 413."""
        error = self._error(dict(scope["headers"])) if scope["type"] == "http" else None
        if error is None:
            await self._application(scope, receive, send)
        else:
            await _answer(error, send)

    def _error(self, headers: dict[bytes, bytes]) -> AppError | None:
        length = headers.get(b"content-length")
        if length is None:
            if b"transfer-encoding" in headers:
                return AppError(
                    ErrorCode.LENGTH_REQUIRED, "Send the body with a Content-Length, not in chunks."
                )
            return None
        # Servers let only digits through; anything else is theirs to refuse.
        return TooLarge(self._limit_bytes) if length.isdigit() and int(length) > self._limit_bytes else None


async def _answer(error: AppError, send: Send) -> None:
    request_id = bind_request_id()
    body = json.dumps(error.as_json()).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        # The body that nobody will read must not be taken for the next request.
        "Connection": "close",
        HEADER: request_id,
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
