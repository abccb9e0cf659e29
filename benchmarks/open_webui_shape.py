"""The browser's way into Open WebUI: the question by HTTP, the answer over Engine.IO 4 / Socket.IO 5.

As its page (0.12) does it: connect with the token, join, post the question of a new chat with the socket's session
id. The answer comes as `events`, whose content is, by version, all text so far or what is new.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from benchmarks.shapes import PROMPT, Load, Piece, Pieces, Record

# Packet types: the first digit is Engine.IO's, the second Socket.IO's.
PING, PONG, CONNECT, EVENT, CONNECT_REFUSED = "2", "3", "40", "42", "44"
JOIN_ACK = "430"
ANSWER_EVENTS = ("events", "chat-events")
JOIN_S = 30.0


async def ask_open_webui(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    """Ask as the page does and read to the event that says it is done."""
    address = f"{load.url}/ws/socket.io/?EIO=4&transport=websocket"
    async with session.ws_connect(address, max_msg_size=0) as socket:
        async with asyncio.timeout(JOIN_S):
            session_id = await _join(socket, load.key_of(record.index))
        record.asked_at = time.time()
        asking = asyncio.create_task(_post(session, load, record, _new_chat(load, session_id)))
        try:
            await _read(socket, record, asking)
        finally:
            asking.cancel()


async def _join(socket: aiohttp.ClientWebSocketResponse, token: str) -> str:
    """Sign in; the socket's session id."""
    auth = {"token": token}
    session_id = ""
    async for message in socket:
        packet = str(message.data)
        if packet.startswith("0"):
            await socket.send_str(CONNECT + json.dumps(auth))
        elif packet.startswith(CONNECT_REFUSED):
            raise aiohttp.ClientError(f"Open WebUI refused the socket: {packet[:200]}")
        elif packet.startswith(CONNECT):
            session_id = json.loads(packet[2:])["sid"]
            await socket.send_str(EVENT + "0" + json.dumps(["user-join", {"auth": auth}]))
        elif packet.startswith(JOIN_ACK):
            return session_id
    raise aiohttp.ClientError("Open WebUI closed the socket before it was joined")


def _new_chat(load: Load, session_id: str) -> dict[str, Any]:
    """The first question of a chat, which the server makes with it and keeps; the request's body."""
    asked, answer = str(uuid.uuid4()), str(uuid.uuid4())
    return {
        "stream": True,
        "model": load.model,
        "params": {"max_tokens": load.tokens},
        "features": {},
        "variables": {},
        "session_id": session_id,
        "id": answer,
        "parent_id": None,
        "user_message": {
            "id": asked,
            "parentId": None,
            "childrenIds": [answer],
            "role": "user",
            "content": PROMPT,
            "timestamp": int(time.time()),
            "models": [load.model],
        },
        "background_tasks": {},
    }


async def _post(session: aiohttp.ClientSession, load: Load, record: Record, body: dict[str, Any]) -> None:
    address, headers = f"{load.url}/api/chat/completions", load.headers_of(record.index)
    async with session.post(address, json=body, headers=headers) as response:
        text = await response.text()
        if response.status != 200:
            record.failure = f"{response.status}: {text[:200]}"


async def _read(socket: aiohttp.ClientWebSocketResponse, record: Record, asking: asyncio.Task[None]) -> None:
    while not (asking.done() and record.failure):
        try:
            message = await socket.receive(timeout=1.0)
        except TimeoutError:
            continue  # look whether the question was refused
        if message.type is not aiohttp.WSMsgType.TEXT:
            record.failure = f"the socket closed ({socket.close_code}) before the end"
        elif message.data == PING:
            await socket.send_str(PONG)
        else:
            record.note(message.data.encode())
            # Nearly all frames are text; only the last ones are worth parsing here.
            if '"done":true' in message.data.replace(" ", "")[-20_000:] and _is_done(message.data):
                return
        if record.failure:
            return


def _is_done(packet: str) -> bool:
    event = _answer_event(packet)
    return event is not None and (event.get("data") or {}).get("done") is True


def _answer_event(packet: str) -> dict[str, Any] | None:
    if not packet.startswith(EVENT):
        return None
    content = json.loads(packet[packet.index("[") :])
    return content[1]["data"] if content[0] in ANSWER_EVENTS else None


def open_webui_pieces(record: Record) -> Pieces:
    """What is new in each event."""
    seen = ""
    for at, data in record.pieces:
        event = _answer_event(data.decode())
        if event is None:
            continue
        new, whole = event_text(event)
        if whole is not None:
            if whole.startswith(seen):
                new, seen = whole[len(seen) :], whole
            else:  # what was shown is replaced
                seen = whole
                yield Piece(at, whole, resets=True)
                continue
        else:
            seen += new
        error = (event.get("data") or {}).get("error")
        yield Piece(at, new, failure=json.dumps(error) if error else "")


def event_text(event: Mapping[str, Any]) -> tuple[str, str | None]:
    """`(new text, None)`, or `("", all text)`."""
    data = event.get("data") or {}
    match event.get("type"):
        case "chat:message:delta" | "message":
            return str(data.get("content") or ""), None
        case "chat:message" | "replace":
            return "", str(data.get("content") or "")
        case "response:completion" if data.get("type") == "response.output_text.delta":
            return str(data.get("delta") or ""), None
        case "chat:completion" | "response:completion":
            return _completion_text(data)
    return "", None


def _completion_text(data: Mapping[str, Any]) -> tuple[str, str | None]:
    if isinstance(data.get("content"), str):
        return "", data["content"]
    if data.get("output"):
        parts = (part for item in data["output"] for part in item.get("content") or ())
        return "", "".join(part.get("text", "") for part in parts)
    if data.get("choices"):
        return str(data["choices"][0].get("delta", {}).get("content") or ""), None
    return "", None
