"""How a stream is asked for and read, for each kind of server: the requests, and the text in what came back.

`openai` is any OpenAI-style SSE endpoint (`url` is its base URL, with `/v1`), `rest` our `POST /api/v1/chat`,
`websocket` our `/ws/v1` with one socket for each stream, `open-webui` the browser's way into Open WebUI.
While a stream runs, only what came and when is noted; all parsing is afterwards, so that the client's own
work does not delay what it measures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import aiohttp

from gpu_workers.engines.openai_stream import EventLines

Shape = Literal["openai", "rest", "websocket", "open-webui"]
TERMINAL_TYPES = frozenset({"finished", "failed", "cancelled", "blocked"})
PROMPT = "Tell me the time, token by token."


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for: `streams` answers of `tokens` tokens each, begun evenly over `ramp_s`.

    Stream `i` signs in with `keys[i]` where there are several people, else with `key`.
    """

    shape: Shape
    url: str
    model: str
    streams: int
    tokens: int
    key: str = field(default="", repr=False)
    ramp_s: float = 1.0
    timeout_s: float = 120.0
    keys: tuple[str, ...] = field(default=(), repr=False)

    def key_of(self, index: int) -> str:
        """The key of stream `index`."""
        return self.keys[index % len(self.keys)] if self.keys else self.key

    def headers_of(self, index: int) -> dict[str, str]:
        """The headers of stream `index`."""
        key = self.key_of(index)
        return {"Authorization": f"Bearer {key}"} if key else {}


@dataclass(slots=True)
class Record:
    """One stream as it came: when it was asked for, and each piece of data with its moment, `time.time()`."""

    index: int = 0
    asked_at: float = 0.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    failure: str = ""

    def note(self, data: bytes) -> None:
        """Data has come."""
        self.pieces.append((time.time(), data))


class Piece(NamedTuple):
    """What one event says: more text (in place of all before it, if it `resets`), a failure, or the start."""

    at: float
    text: str = ""
    resets: bool = False
    failure: str = ""
    is_start: bool = False


Ask = Callable[[aiohttp.ClientSession, Load, Record], Awaitable[None]]
Pieces = Iterator[Piece]


# --- asking


def question(load: Load) -> dict[str, Any]:
    """The body of an OpenAI-style request."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": load.model, "messages": messages, "stream": True, "max_tokens": load.tokens}


async def ask_openai(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    """Read an OpenAI-style stream to its end."""
    await _read_sse(session, f"{load.url}/chat/completions", load, question(load), record)


async def ask_rest(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    """Read our SSE to its end."""
    body = {"query": PROMPT, "model": load.model, "stream": True, "max_tokens": load.tokens}
    await _read_sse(session, f"{load.url}/api/v1/chat", load, body, record)


async def _read_sse(
    session: aiohttp.ClientSession, url: str, load: Load, body: dict[str, Any], record: Record
) -> None:
    async with session.post(url, json=body, headers=load.headers_of(record.index)) as response:
        if response.status != 200:
            record.failure = f"{response.status}: {(await response.text())[:200]}"
            return
        while data := await response.content.readany():
            record.note(data)


async def ask_websocket(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    """Submit on a socket of its own and read to the terminal event."""
    messages = [{"role": "user", "content": PROMPT}]
    submit = {
        "op": "submit",
        "ref": "1",
        "kind": "chat",
        "model": load.model,
        "input": {"messages": messages, "max_tokens": load.tokens},
        "as": 0,  # as our own page does
    }
    key = load.key_of(record.index)
    protocols = (f"bearer.{key}",) if key else ()
    async with session.ws_connect(f"{load.url}/ws/v1", protocols=protocols) as socket:
        record.asked_at = time.time()  # signing in belongs to the page's start, not to the answer
        await socket.send_json(submit)
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            record.note(message.data.encode())
            if _ends(message.data):
                return
    record.failure = f"the socket closed ({socket.close_code}) before the end"


def _ends(frame: str) -> bool:
    # Nearly all frames are deltas; only the others are worth parsing here.
    if frame.startswith("["):
        return False
    content = json.loads(frame)
    return content.get("op") == "error" or content.get("type") in TERMINAL_TYPES


# --- reading


def _events(record: Record) -> Iterator[tuple[float, dict[str, Any]]]:
    lines = EventLines()
    for at, data in record.pieces:
        for event in lines.feed(data):
            if event != b"[DONE]":
                yield at, json.loads(event)


def openai_pieces(record: Record) -> Pieces:
    """The deltas of an OpenAI-style stream."""
    for at, event in _events(record):
        delta = event["choices"][0]["delta"] if event.get("choices") else {}
        text = (delta.get("reasoning_content") or "") + (delta.get("content") or "")
        yield Piece(at, text, failure=json.dumps(event["error"]) if event.get("error") else "")


def rest_pieces(record: Record) -> Pieces:
    """The events of our SSE."""
    for at, event in _events(record):
        yield _said(at, event)


def websocket_pieces(record: Record) -> Pieces:
    """The events of our WebSocket."""
    for at, data in record.pieces:
        frame = json.loads(data)
        if isinstance(frame, list):
            yield _said(at, frame[2])
        elif frame["op"] == "event":
            yield _said(at, frame["data"])
        elif frame["op"] == "error":
            yield Piece(at, failure=f"{frame.get('code')}: {frame.get('message')}")


def _said(at: float, event: dict[str, Any]) -> Piece:
    """One of our events, told by its fields: the data line of SSE does not hold the type."""
    failed = "code" in event and "message" in event
    return Piece(
        at,
        text=(event.get("reasoning") or "") + (event.get("text") or ""),
        resets=event.get("whole") is True or event.get("from") == "start",
        failure=f"{event['code']}: {event['message']}" if failed else "",
        is_start="attempt" in event and "model" in event,
    )
