"""A fake OpenAI-style chat server whose tokens carry the moment they were due.

Token `i` of a stream reads `i@SECONDS ` with SECONDS = `time.time()` of its place in an absolute schedule,
so a reader on the same machine computes the whole delay as receive - emission, the server's own lateness
included.
A request sets its own script through extra body fields (`tokens`, `rate`, `reasoning`, ... see `Script`) or
through its model's name: `fake-50x400` is 400 tokens at 50 a second, `fake-50x400-p40` the same in paragraphs of 40.

One ticker writes all streams straight to their transports: 400 streams of 50 tokens/s take part of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aiohttp import web

MODEL_NAME = re.compile(r"fake-(?P<rate>\d+(?:\.\d+)?)x(?P<tokens>\d+)(?:-p(?P<paragraph>\d+))?")
LISTED_MODELS = ("fake-50x400", "fake-50x100", "fake-200x400")
TOKEN = re.compile(r"(\d+)@(\d+\.\d{6}) ")


@dataclass(frozen=True, slots=True)
class Script:
    """How one answer goes; every field can be set by the request's body.

    After every `paragraph` tokens comes an empty line (0: never). Of `tokens`, the first `reasoning` are reasoning.
    `hang` never answers; `hang_after` falls silent and `break_after` cuts the connection after so many tokens.
    `think_tags` writes the reasoning into the text. `error_after` sends an error object in the stream.
    """

    rate: float = 50.0
    tokens: int = 100
    paragraph: int = 0
    reasoning: int = 0
    think_tags: bool = False
    first_delay_s: float = 0.0
    hang: bool = False
    hang_after: int | None = None
    break_after: int | None = None
    error_after: int | None = None

    def for_body(self, body: Mapping[str, Any]) -> Script:
        """The script with what the request's model name and body fields say."""
        values: dict[str, Any] = {}
        if match := MODEL_NAME.fullmatch(str(body.get("model", ""))):
            values = {"rate": float(match["rate"]), "tokens": int(match["tokens"])}
            values["paragraph"] = int(match["paragraph"] or 0)
        values |= {f.name: body[f.name] for f in fields(self) if f.name in body}
        return replace(self, **values)


@dataclass(slots=True)
class Settings:
    """What the whole server does: the default script, and faults that do not depend on the script.

    More than `most_messages` are refused as real servers refuse what is longer than their context.
    """

    script: Script = field(default_factory=Script)
    fail_first: int = 0
    fail_status: int = 500
    retry_after: str | None = None
    api_key: str | None = None
    sends_usage: bool = True
    streams: bool = True
    most_messages: int | None = None


@dataclass(slots=True)
class Counters:
    """What the server saw, also at `GET /stats`."""

    requests: int = 0
    refused: int = 0
    open: int = 0
    finished: int = 0
    aborted: int = 0
    tokens: int = 0


def token_text(index: int, due: float) -> str:
    """Token `index`, due at `due` (seconds of `time.time()`)."""
    return f"{index}@{due:.6f} "


def read_tokens(text: str) -> list[tuple[int, float]]:
    """`(index, due)` of all whole tokens in the text."""
    return [(int(index), float(due)) for index, due in TOKEN.findall(text)]


class _Stream:
    """One answer on its way: its schedule and the bytes around its tokens."""

    __slots__ = (
        "body",
        "done",
        "end",
        "first",
        "head",
        "id",
        "index",
        "reasoning_head",
        "script",
        "start",
        "tail",
        "transport",
    )

    def __init__(
        self, body: Mapping[str, Any], script: Script, transport: asyncio.Transport, clock: float
    ) -> None:
        self.body, self.script, self.transport = body, script, transport
        self.first = _tokens_already_there(body)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or script.tokens
        self.index, self.end = self.first, min(script.tokens, self.first + limit)
        self.start = clock + script.first_delay_s - self.first / script.rate
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.id = f"chatcmpl-{secrets.token_hex(6)}"
        chunk = json.dumps(self.chunk({"DELTA": "TOKEN"}), separators=(",", ":"))
        head, self.tail = (part.encode() for part in chunk.split('{"DELTA":"TOKEN"}'))
        self.head, self.reasoning_head = (
            b"data: " + head + f'{{"{name}":"'.encode() for name in ("content", "reasoning_content")
        )
        self.tail = b'"}' + self.tail + b"\n\n"

    @property
    def due(self) -> float:
        """When the next token is due, on the loop's clock."""
        return self.start + self.index / self.script.rate

    def next_event(self, wall_offset: float) -> bytes:
        """The server-sent event of the next token."""
        text = token_text(self.index, self.due + wall_offset)
        reasoning = self.index < self.script.reasoning
        if self.script.think_tags:
            text = self._tagged(text)
            reasoning = False
        self.index += 1
        if self.script.paragraph and self.index % self.script.paragraph == 0:
            text += r"\n\n"  # as JSON writes it: the text stands in a string
        return (self.reasoning_head if reasoning else self.head) + text.encode() + self.tail

    def _tagged(self, text: str) -> str:
        opens = "<think>" if self.index == 0 and self.script.reasoning else ""
        closes = "</think>" if self.index == self.script.reasoning - 1 else ""
        return opens + text + closes

    def whole(self, wall_offset: float) -> tuple[str, str]:
        """`(content, reasoning)` of an answer that is not streamed."""
        texts = [
            token_text(i, self.start + i / self.script.rate + wall_offset)
            for i in range(self.first, self.end)
        ]
        cut = max(0, self.script.reasoning - self.first)
        return "".join(texts[cut:]), "".join(texts[:cut])

    @property
    def finish_reason(self) -> str:
        return "length" if self.end < self.script.tokens else "stop"

    def chunk(self, delta: Mapping[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """A `chat.completion.chunk` of this stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self.body.get("model", "fake"),
            "choices": [choice],
        }

    def completion(self, wall_offset: float) -> dict[str, Any]:
        """The whole answer as one `chat.completion`."""
        content, reasoning = self.whole(wall_offset)
        self.index = self.end
        message = {"role": "assistant", "content": content} | (
            {"reasoning_content": reasoning} if reasoning else {}
        )
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self.chunk({}) | {"object": "chat.completion", "choices": [choice], "usage": self.usage()}

    def usage(self) -> dict[str, int]:
        """Token counts; a prompt token is four characters."""
        prompt = sum(len(str(m.get("content", ""))) for m in self.body["messages"]) // 4 + 1
        made = self.index - self.first
        return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}


class _Ticker:
    """Writes what is due, of all streams, from one timer."""

    def __init__(self, counters: Counters) -> None:
        self._heap: list[tuple[float, int, _Stream]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._serial = 0
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self.wall_offset = _wall_offset(self._loop)

    def add(self, stream: _Stream) -> None:
        """Begin to write the stream; its `done` is set when its last token is out, or its fault is due."""
        self._push(stream)
        self._tick()

    def _push(self, stream: _Stream) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (stream.due, self._serial, stream))

    def _tick(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            _, _, stream = heapq.heappop(self._heap)
            self._write_due(stream, now)
        if self._heap:
            self._timer = self._loop.call_at(self._heap[0][0], self._tick)

    def _write_due(self, stream: _Stream, now: float) -> None:
        if stream.done.done():  # the handler was cancelled: the client went away
            return
        if stream.transport.is_closing():
            stream.done.set_exception(ConnectionResetError("client went away"))
            return
        framed: list[bytes] = []
        while stream.index < stream.end and stream.due <= now and not _fault_due(stream):
            event = stream.next_event(self.wall_offset)
            framed.append(b"%x\r\n%b\r\n" % (len(event), event))
        self._counters.tokens += len(framed)
        stream.transport.write(b"".join(framed))
        if stream.index >= stream.end or _fault_due(stream):
            stream.done.set_result(None)
        else:
            self._push(stream)


def _wall_offset(loop: asyncio.AbstractEventLoop) -> float:
    """`time.time()` less the loop's clock: of some readings the one that nothing came between."""
    readings = []
    for _ in range(20):
        before, wall, after = loop.time(), time.time(), loop.time()
        readings.append((after - before, wall - (before + after) / 2))
    return min(readings)[1]


def _fault_due(stream: _Stream) -> bool:
    script, sent = stream.script, stream.index - stream.first
    return sent in (script.hang_after, script.break_after, script.error_after)


class FakeUpstream:
    """The server. `settings` may be changed while it runs; `counters` tells what it did."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counters = Counters()
        self.bodies: list[dict[str, Any]] = []
        self.keeps_bodies = False
        self.url = ""
        self._ticker: _Ticker | None = None

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[FakeUpstream]:
        """Listen on 127.0.0.1; port 0 takes a free one. `url` is the base URL, with `/v1`."""
        self._ticker = _Ticker(self.counters)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
        await site.start()
        host, bound = runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in LISTED_MODELS]
        return web.json_response({"object": "list", "data": data})

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response({f.name: getattr(self.counters, f.name) for f in fields(self.counters)})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.counters.requests += 1
        if (refusal := self._refusal(request)) is not None:
            self.counters.refused += 1
            return refusal
        try:
            body = await request.json()
            script = self.settings.script.for_body(body)
            body["messages"][-1]["role"]
        except (json.JSONDecodeError, KeyError, IndexError, TypeError, ValueError) as error:
            return _error(400, f"the body is not a chat request: {error!r}", "invalid_request_error")
        if self.keeps_bodies:
            self.bodies.append(body)
        most = self.settings.most_messages
        if most is not None and len(body["messages"]) > most:
            self.counters.refused += 1
            message = f"This model's maximum context length is {most} tokens. Please reduce the messages."
            return _error(400, message, "invalid_request_error")
        self.counters.open += 1
        try:
            answer = await self._answer(request, body, script)
        except (asyncio.CancelledError, ConnectionResetError):
            self.counters.aborted += 1
            raise
        finally:
            self.counters.open -= 1
        self.counters.finished += 1
        return answer

    def _refusal(self, request: web.Request) -> web.Response | None:
        settings = self.settings
        sent_key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if settings.api_key is not None and sent_key != settings.api_key:
            # Real servers repeat the key in this message, so clients must be tested against that.
            return _error(401, f"Incorrect API key provided: {sent_key}.", "invalid_api_key")
        if self.counters.requests <= settings.fail_first:
            answer = _error(
                settings.fail_status, "The server had an error, as it was told to.", "server_error"
            )
            if settings.retry_after is not None:
                answer.headers["Retry-After"] = settings.retry_after
            return answer
        return None

    async def _answer(self, request: web.Request, body: dict[str, Any], script: Script) -> web.StreamResponse:
        assert self._ticker is not None
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("client went away")
        if script.hang:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        stream = _Stream(body, script, transport, loop.time())
        if body.get("stream") and self.settings.streams:
            return await self._streamed(request, stream)
        await asyncio.sleep(max(0.0, stream.start + stream.end / script.rate - loop.time()))
        self.counters.tokens += stream.end - stream.first
        return web.json_response(stream.completion(self._ticker.wall_offset))

    async def _streamed(self, request: web.Request, stream: _Stream) -> web.StreamResponse:
        assert self._ticker is not None
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        # The first write goes through aiohttp, which sends the headers with it; the ticker writes past it.
        await response.write(_event(stream.chunk({"role": "assistant", "content": ""})))
        self._ticker.add(stream)
        await stream.done
        if _fault_due(stream):
            await self._fault(response, stream)
            return response
        await response.write(_event(stream.chunk({}, stream.finish_reason)))
        if self.settings.sends_usage and (stream.body.get("stream_options") or {}).get("include_usage"):
            await response.write(_event({**stream.chunk({}), "choices": [], "usage": stream.usage()}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _fault(self, response: web.StreamResponse, stream: _Stream) -> None:
        sent = stream.index - stream.first
        if sent == stream.script.hang_after:
            await asyncio.Event().wait()
        if sent == stream.script.error_after:
            await response.write(
                _event({"error": {"message": "the model fell over", "type": "server_error", "code": 500}})
            )
            await response.write_eof()
            return
        stream.transport.abort()


def _tokens_already_there(body: Mapping[str, Any]) -> int:
    """How many tokens the last message, a partial answer to be continued, already holds."""
    last = body["messages"][-1]
    continues = last.get("prefix") is True or body.get("continue_final_message") is True
    if not continues or last.get("role") != "assistant":
        return 0
    tokens = read_tokens(str(last.get("content", "")))
    return tokens[-1][0] + 1 if tokens else 0


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _error(status: int, message: str, type_: str) -> web.Response:
    error = {"message": message, "type": type_, "param": None, "code": type_}
    return web.json_response({"error": error}, status=status)


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[FakeUpstream]:
    """The server in a thread of its own, for tests."""
    server = FakeUpstream(settings)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with server.serving():
            ready.set()
            await stop.wait()

    thread = threading.Thread(
        target=loop.run_until_complete, args=(main(),), name="fake-upstream", daemon=True
    )
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the fake upstream did not start within 10 s")
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _serve(settings: Settings, port: int) -> None:
    async with FakeUpstream(settings).serving(port) as server:
        print(f"listening on {server.url}", flush=True)
        await asyncio.Event().wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fake_upstream", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--rate", type=float, default=50.0, help="tokens per second of each stream")
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument(
        "--reasoning", type=int, default=0, help="so many of the tokens come as reasoning_content"
    )
    parser.add_argument("--first-delay", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--fail-first", type=int, default=0, help="refuse the first N requests")
    parser.add_argument("--fail-status", type=int, default=500)
    parser.add_argument("--retry-after", help="Retry-After header of the refusals")
    parser.add_argument("--hang", action="store_true", help="take requests and never answer")
    parser.add_argument("--hang-after", type=int, help="fall silent after N tokens")
    parser.add_argument("--break-after", type=int, help="cut the connection after N tokens")
    parser.add_argument("--api-key", help="refuse every other key")
    return parser.parse_args()


def main() -> None:
    """Serve until interrupted."""
    given = _arguments()
    script = Script(
        rate=given.rate,
        tokens=given.tokens,
        reasoning=given.reasoning,
        first_delay_s=given.first_delay,
        hang=given.hang,
        hang_after=given.hang_after,
        break_after=given.break_after,
    )
    settings = Settings(script, given.fail_first, given.fail_status, given.retry_after, given.api_key)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, given.port))


if __name__ == "__main__":
    main()
