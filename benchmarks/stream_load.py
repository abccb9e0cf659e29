"""A load client: many streams at once from the fake upstream's tokens, over any of three shapes.

`openai` is any OpenAI-style SSE endpoint (`--url` is its base URL, with `/v1`), `rest` our
`POST /api/v1/chat` and `websocket` our `/ws/v1`, one socket for each stream (`--url` is the studio's
address). While it runs the client only notes what came when; it parses afterwards, so that its own work does
not delay what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import aiohttp

from benchmarks.fake_upstream import TOKEN
from benchmarks.processes import Cost, sampling
from gpu_workers.engines.openai_stream import EventLines

Shape = Literal["openai", "rest", "websocket"]
TERMINAL_TYPES = frozenset({"finished", "failed", "cancelled", "blocked"})
PROMPT = "Tell me the time, token by token."


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for: `streams` answers of `tokens` tokens each, begun evenly over `ramp_s`."""

    shape: Shape
    url: str
    model: str
    streams: int
    tokens: int
    key: str = field(default="", repr=False)
    ramp_s: float = 1.0
    timeout_s: float = 120.0


@dataclass(slots=True)
class Record:
    """One stream as it came: when it was asked for, and each piece of data with its moment, `time.time()`."""

    asked_at: float = 0.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    failure: str = ""

    def note(self, data: bytes) -> None:
        """Data has come."""
        self.pieces.append((time.time(), data))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run showed. Delays are receive - emission; `first_*` is from asking to the first token."""

    streams: int
    tokens: int
    lost: int
    repeated: int
    failures: list[str]
    wall_s: float
    delay_p50_ms: float
    delay_p99_ms: float
    first_p50_ms: float
    first_p99_ms: float
    bytes_per_token: float
    cpu_s_per_100k: dict[str, float]
    peak_rss_mb: dict[str, float]


def run(load: Load, pids: dict[str, int] | None = None) -> Figures:
    """Drive the load and read its figures; `pids` names the processes whose cost is asked for."""
    with sampling(pids or {}) as costs:
        begun = time.monotonic()
        records = asyncio.run(_drive(load))
        wall_s = time.monotonic() - begun
    return figures(load, records, wall_s, costs.costs)


# --- driving


async def _drive(load: Load) -> list[Record]:
    records = [Record() for _ in range(load.streams)]
    headers = {"Authorization": f"Bearer {load.key}"} if load.key else {}
    ask = ASK[load.shape]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=load.timeout_s),
    ) as session:
        await asyncio.gather(*(_one(ask, session, load, i, record) for i, record in enumerate(records)))
    return records


async def _one(ask: Ask, session: aiohttp.ClientSession, load: Load, index: int, record: Record) -> None:
    await asyncio.sleep(load.ramp_s * index / load.streams)
    record.asked_at = time.time()
    try:
        async with asyncio.timeout(load.timeout_s):
            await ask(session, load, record)
    except TimeoutError:
        record.failure = f"no end within {load.timeout_s:g} s"
    except aiohttp.ClientError as error:
        record.failure = f"{type(error).__name__}: {error}"


async def _ask_openai(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    messages = [{"role": "user", "content": PROMPT}]
    body = {"model": load.model, "messages": messages, "stream": True, "max_tokens": load.tokens}
    await _read_sse(session, f"{load.url}/chat/completions", body, record)


async def _ask_rest(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    body = {"query": PROMPT, "model": load.model, "stream": True, "max_tokens": load.tokens}
    await _read_sse(session, f"{load.url}/api/v1/chat", body, record)


async def _read_sse(session: aiohttp.ClientSession, url: str, body: dict[str, Any], record: Record) -> None:
    async with session.post(url, json=body) as response:
        if response.status != 200:
            record.failure = f"{response.status}: {(await response.text())[:200]}"
            return
        while data := await response.content.readany():
            record.note(data)


async def _ask_websocket(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    messages = [{"role": "user", "content": PROMPT}]
    submit = {
        "op": "submit",
        "ref": "1",
        "kind": "chat",
        "model": load.model,
        "input": {"messages": messages, "max_tokens": load.tokens},
    }
    protocols = (f"bearer.{load.key}",) if load.key else ()
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
    if '"type":"delta"' in frame:
        return False
    content = json.loads(frame)
    return content.get("op") == "error" or content.get("type") in TERMINAL_TYPES


Ask = Callable[[aiohttp.ClientSession, Load, Record], Awaitable[None]]
ASK: dict[Shape, Ask] = {"openai": _ask_openai, "rest": _ask_rest, "websocket": _ask_websocket}


# --- reading


@dataclass(slots=True)
class _Read:
    """One record, read."""

    indices: list[int] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    first_s: float | None = None
    size: int = 0
    failure: str = ""


def figures(load: Load, records: Sequence[Record], wall_s: float, costs: dict[str, Cost]) -> Figures:
    """Put all records together."""
    read = [_read(load.shape, record) for record in records]
    delays = sorted(delay for each in read for delay in each.delays_s)
    firsts = sorted(each.first_s for each in read if each.first_s is not None)
    tokens = len(delays)
    different = sum(len(set(each.indices)) for each in read)
    return Figures(
        streams=load.streams,
        tokens=tokens,
        lost=load.streams * load.tokens - different,
        repeated=tokens - different,
        failures=sorted({each.failure for each in read if each.failure}),
        wall_s=round(wall_s, 2),
        delay_p50_ms=_ms(percentile(delays, 50)),
        delay_p99_ms=_ms(percentile(delays, 99)),
        first_p50_ms=_ms(percentile(firsts, 50)),
        first_p99_ms=_ms(percentile(firsts, 99)),
        bytes_per_token=round(sum(each.size for each in read) / max(1, tokens), 1),
        cpu_s_per_100k={n: round(c.cpu_s / max(1, tokens) * 1e5, 2) for n, c in costs.items()},
        peak_rss_mb={n: round(c.peak_rss_mb, 1) for n, c in costs.items()},
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of an ascending sequence; not a number for an empty one."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def _read(shape: Shape, record: Record) -> _Read:
    result = _Read(failure=record.failure)
    text = ""
    for at, more, failure in TEXTS[shape](record):
        result.failure = result.failure or failure
        text += more
        end = 0
        for match in TOKEN.finditer(text):
            end = match.end()
            result.indices.append(int(match[1]))
            result.delays_s.append(at - float(match[2]))
            if result.first_s is None:
                result.first_s = at - record.asked_at
        text = text[end:]
    result.size = sum(len(data) for _, data in record.pieces)
    return result


Texts = Iterator[tuple[float, str, str]]  # when, more text, what failed


def _events(record: Record) -> Iterator[tuple[float, dict[str, Any]]]:
    lines = EventLines()
    for at, data in record.pieces:
        for event in lines.feed(data):
            if event != b"[DONE]":
                yield at, json.loads(event)


def _openai_texts(record: Record) -> Texts:
    for at, event in _events(record):
        delta = event["choices"][0]["delta"] if event.get("choices") else {}
        text = (delta.get("reasoning_content") or "") + (delta.get("content") or "")
        yield at, text, json.dumps(event["error"]) if event.get("error") else ""


def _rest_texts(record: Record) -> Texts:
    for at, event in _events(record):
        yield at, *_said(event)


def _websocket_texts(record: Record) -> Texts:
    for at, data in record.pieces:
        frame = json.loads(data)
        if frame["op"] == "event":
            yield at, *_said(frame["data"])
        elif frame["op"] == "error":
            yield at, "", f"{frame.get('code')}: {frame.get('message')}"


def _said(event: dict[str, Any]) -> tuple[str, str]:
    """Text and failure of one of our events."""
    failure = f"{event['code']}: {event['message']}" if "code" in event and "message" in event else ""
    return (event.get("reasoning") or "") + (event.get("text") or ""), failure


TEXTS: dict[Shape, Callable[[Record], Texts]] = {
    "openai": _openai_texts,
    "rest": _rest_texts,
    "websocket": _websocket_texts,
}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def main() -> None:
    """Run one load and print its figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stream_load", description="Many streams at once."
    )
    parser.add_argument("--shape", choices=get_args(Shape), default="openai")
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="fake-50x400")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--key", default="")
    parser.add_argument("--ramp", type=float, default=1.0, help="seconds over which the streams begin")
    parser.add_argument("--timeout", type=float, default=120.0)
    parser.add_argument("--pid", action="append", default=[], metavar="NAME=PID", help="measure this process")
    given = parser.parse_args()
    pids = {name: int(pid) for name, _, pid in (entry.partition("=") for entry in given.pid)}
    load = Load(
        shape=given.shape,
        url=given.url.rstrip("/"),
        model=given.model,
        streams=given.streams,
        tokens=given.tokens,
        key=given.key,
        ramp_s=given.ramp,
        timeout_s=given.timeout,
    )
    print(json.dumps(asdict(run(load, pids)), indent=2))


if __name__ == "__main__":
    main()
