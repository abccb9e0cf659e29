"""Bodies that are too large, or of unknown size, are refused before anybody reads them."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from aigc.lib.body_limit import BodyLimit, Receive, Scope, Send

LIMIT = 1000
Message = MutableMapping[str, Any]


class Call:
    """One request to an application that says 200; notes what was read and sent."""

    def __init__(self, *headers: tuple[bytes, bytes], scope_type: str = "http") -> None:
        self.scope: Scope = {"type": scope_type, "method": "POST", "path": "/", "headers": headers}
        self.reads = 0
        self.reached = False
        self.sent: list[Message] = []

    async def run(self) -> None:
        """Send it through."""
        await BodyLimit(self._application, LIMIT)(self.scope, self._receive, self._send)

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        status: int = self.sent[0]["status"]
        return status

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached = True
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _receive(self) -> Message:
        self.reads += 1
        return {"type": "http.request", "body": b""}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"0"),), ((b"content-length", b"1000"),)])
async def test_a_body_within_the_limit_passes(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    call = Call(*headers)
    await call.run()
    assert (call.reached, call.status) == (True, 200)


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ((b"content-length", b"1001"), 413, "too_large"),
        ((b"content-length", b"9" * 30), 413, "too_large"),
        ((b"transfer-encoding", b"chunked"), 411, "length_required"),
    ],
)
async def test_others_are_refused_unread_and_in_the_one_shape(
    header: tuple[bytes, bytes], status: int, code: str
) -> None:
    call = Call(header)
    await call.run()

    assert (call.reached, call.reads, call.status) == (False, 0, status)
    headers = dict(call.sent[0]["headers"])
    body = call.sent[1]["body"]
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert error["request_id"] == headers[b"x-request-id"].decode()
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"connection"] == b"close"


async def test_a_websocket_has_no_body_to_limit() -> None:
    call = Call((b"transfer-encoding", b"chunked"), scope_type="websocket")
    await call.run()
    assert call.reached
