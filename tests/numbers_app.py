"""A small ASGI application that counts: as fast as its server takes it, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

PIECES, LINES_PER_PIECE = 2000, 1000
PIECE_BYTES = 9 * LINES_PER_PIECE

Message = dict[str, Any]
state = {"sent": 0, "gone": 0}


def piece(number: int) -> str:
    """The lines of one piece; all pieces differ."""
    return "".join(f"{number * LINES_PER_PIECE + line:08d}\n" for line in range(LINES_PER_PIECE))


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """`/state` says how many pieces were sent and how many clients went away; all else is pieces."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        counting = asyncio.create_task(_count_by_socket(send))
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/state":
            await send({"type": "http.response.body", "body": json.dumps(state).encode()})
            return
        counting = asyncio.create_task(_count_by_http(send))
    while not (await receive())["type"].endswith("disconnect"):
        pass
    if not counting.done():
        state["gone"] += 1
        counting.cancel()


async def _count_by_http(send: Callable[[Message], Awaitable[None]]) -> None:
    for number in range(PIECES):
        await send({"type": "http.response.body", "body": piece(number).encode(), "more_body": True})
        state["sent"] += 1
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def _count_by_socket(send: Callable[[Message], Awaitable[None]]) -> None:
    for number in range(PIECES):
        await send({"type": "websocket.send", "text": piece(number)})
        state["sent"] += 1
        await asyncio.sleep(0)
    await send({"type": "websocket.close", "code": 4000})
