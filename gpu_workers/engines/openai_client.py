"""One event loop in one thread that reads all streams of a server and hands their text to the waiting jobs.

It knows servers and tries, not models: `openai.py` says what to ask. What a try may end with:
text given on and then an end; a failure before any text, which is tried again, then at the standby; a break
after text, which is continued where the server can continue a partial answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, NoReturn, Protocol

import aiohttp
import orjson
import stamina
import structlog

from gpu_workers.contract.messages import ChatParams
from gpu_workers.engines.base import DoneChunk, EngineError, Request
from gpu_workers.engines.openai_breaker import Breaker, CircuitOpen
from gpu_workers.engines.openai_failures import Failures, Paused, TryFailed, message_in, retry_after_s
from gpu_workers.engines.openai_options import Endpoint, Options
from gpu_workers.engines.openai_request import Sink, Stream, can_continue, usage
from gpu_workers.engines.openai_stream import (
    NOTHING,
    Answer,
    EventLines,
    NotAStream,
    UpstreamFailed,
)
from gpu_workers.engines.text_stream import AnswerStream

log = structlog.get_logger(__name__)

# How often stop flags and deadlines of silent streams are looked at. One timer for all streams: a timer or
# a waking job thread for each would cost more than the tokens do.
WATCH_S = 0.05
MAX_ERROR_BYTES = 64 * 1024
MAX_WHOLE_BYTES = 16 * 1024 * 1024


class BodyOf(Protocol):
    """Makes a body.

    `pictures` are data URLs by the attachment's name, `text` is the partial answer to go on with, `max_tokens` what
    may still come.
    """

    def __call__(
        self,
        endpoint: Endpoint,
        params: ChatParams,
        pictures: Mapping[str, str],
        *,
        text: str,
        max_tokens: int,
    ) -> Mapping[str, Any]:
        """The JSON body for this endpoint."""


@dataclass(frozen=True, slots=True)
class _Server:
    """An endpoint with what this process has learned about it."""

    endpoint: Endpoint
    breaker: Breaker


class Client:
    """The loop, its thread and its connections. `start` raises nothing: errors come through the sink.

    A stream ends with `(request, None)` in its sink, after its DoneChunk or EngineError; a stopped one with
    only that.
    """

    def __init__(self, options: Options, body_of: BodyOf) -> None:
        self._options, self._body_of = options, body_of
        self._failures = Failures(options)
        self._servers = tuple(
            _Server(e, Breaker(e.name, failures=options.breaker_failures, pause_s=options.breaker_pause_s))
            for e in options.endpoints
        )
        self._streams: set[Stream] = set()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"openai-{options.model_id}", daemon=True)
        self._thread.start()

    # --- called by job threads

    def start(self, request: Request, sink: Sink) -> Stream:
        """Begin to stream the answer of the request into the sink."""
        stream = Stream(request, sink)
        self._loop.call_soon_threadsafe(self._begin, stream)
        return stream

    def abandon(self, stream: Stream) -> None:
        """Nobody reads this stream any more: close its connection."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the connection with it
            self._loop.call_soon_threadsafe(self._cancel, stream)

    def close(self) -> None:
        """End all streams, close the connections and the thread."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)

    # --- the loop's thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._options.connect_timeout_s),
            trust_env=self._options.trust_env,
        ) as self._session:
            watcher = asyncio.create_task(self._watch())
            await self._closing.wait()
            tasks = [watcher, *(stream.task for stream in self._streams if stream.task is not None)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, stream: Stream) -> None:
        stream.task = self._loop.create_task(self._answer(stream))
        self._streams.add(stream)
        stream.task.add_done_callback(lambda task: self._ended(stream, task))

    def _ended(self, stream: Stream, task: asyncio.Task[None]) -> None:
        self._streams.discard(stream)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EngineError):
            # As text: a log that shows the frames' variables would show the key in the request's headers.
            trace = "".join(traceback.format_exception(error))
            log.error("openai_engine_bug", model=self._options.model_id, trace=trace)
            error = EngineError(
                "engine_error", f"The openai engine failed ({type(error).__name__}); its log has more."
            )
        stream.end(error)

    def _cancel(self, stream: Stream) -> None:
        if stream.task is not None:
            stream.task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now = self._loop.time()
            for stream in self._streams:
                if stream.request.stopped():
                    self._cancel(stream)
                elif stream.deadline < now:
                    stream.deadline, stream.timed_out = math.inf, True
                    self._cancel(stream)

    # --- one answer

    async def _answer(self, stream: Stream) -> None:
        """Try the servers in turn. Raises EngineError when none of them gives the answer."""
        failures: list[TryFailed] = []
        for server in self._servers:
            if stream.started and not can_continue(server.endpoint, stream):
                break
            try:
                await self._with_retries(server, stream)
            except TryFailed as failure:
                failures.append(failure)
                name = server.endpoint.name
                log.warning(
                    "openai_server_failed", model=self._options.model_id, server=name, reason=failure.message
                )
            else:
                return
        message = " ".join(failure.message for failure in failures)
        raise EngineError(failures[-1].code, message, retryable=True)

    async def _with_retries(self, server: _Server, stream: Stream) -> None:
        options = self._options

        def backoff(error: Exception) -> bool | float:
            if not isinstance(error, TryFailed) or isinstance(error, Paused):
                return False
            if stream.started and not can_continue(server.endpoint, stream):
                return False
            if error.wait_s is None:
                return True
            # Asking again earlier than told would be refused again.
            return error.wait_s <= options.retry_after_cap_s and error.wait_s

        async for attempt in stamina.retry_context(
            on=backoff,
            attempts=options.attempts,
            timeout=None,
            wait_initial=options.retry_wait_s,
            wait_max=options.retry_wait_max_s,
            wait_jitter=options.retry_wait_s,
        ):
            with attempt:
                await self._try(server, stream)

    async def _try(self, server: _Server, stream: Stream) -> None:
        """One request to one server, or some where it takes less of the conversation than all.

        Raises TryFailed, or EngineError where no other try could help.
        """
        try:
            server.breaker.admit()
        except CircuitOpen as state:
            raise self._failures.paused(server.endpoint, state) from None
        try:
            await self._converse(server, stream)
        except TryFailed as failure:
            # A server that is merely busy lives: its own Retry-After rules then, not the breaker.
            if failure.code == "upstream_busy":
                server.breaker.succeeded()
            else:
                server.breaker.failed(failure)
            raise
        except EngineError as error:
            server.breaker.succeeded()
            if error.code != "context_too_long" or not stream.shorten():
                raise
            await self._try(server, stream)
        except asyncio.CancelledError:
            server.breaker.withdrawn()
            raise
        finally:
            stream.deadline = math.inf

    async def _converse(self, server: _Server, stream: Stream) -> None:
        """Ask and read. Turns everything that can go wrong on the way into TryFailed or EngineError."""
        endpoint = server.endpoint
        try:
            await self._ask(server, stream)
        except asyncio.CancelledError:
            if not stream.timed_out:
                raise
            stream.timed_out = False
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            raise self._failures.timeout(endpoint, started=stream.started) from None
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError) as error:
            raise self._failures.unreachable(endpoint, error) from None
        except (aiohttp.ClientError, ConnectionError, NotAStream) as error:
            raise self._failures.broken(
                endpoint, str(error) or type(error).__name__, started=stream.started
            ) from None
        except UpstreamFailed as error:
            if error.status is not None and 400 <= error.status < 500:
                raise self._failures.refused(endpoint, error.status, error.message) from None
            raise self._failures.broken(endpoint, error.message, started=stream.started) from None

    async def _ask(self, server: _Server, stream: Stream) -> None:
        endpoint = server.endpoint
        if (stream.texts or stream.has_reasoning) and not can_continue(endpoint, stream):
            stream.begin_again()
        stream.tokens_before += stream.deltas
        stream.deltas = 0
        if stream.tokens_left <= 0:
            stream.end(DoneChunk(usage(stream, Answer()), "length"))
            return
        text = "".join(stream.texts)
        # vLLM's reasoning parsers miss the tag before a continued answer and call its rest reasoning.
        stream.answer_only = bool(text) and endpoint.continues == "vllm_continue"
        stream.deadline = self._loop.time() + self._options.first_token_timeout_s
        body = self._body_of(
            endpoint, stream.params, stream.pictures, text=text, max_tokens=stream.tokens_left
        )
        # Pictures make it megabytes: the loop that all other streams share must not write them out.
        data = await asyncio.to_thread(orjson.dumps, body) if stream.pictures else orjson.dumps(body)
        async with self._session.post(
            endpoint.url, data=BytesIO(data), headers=endpoint.headers(), allow_redirects=False
        ) as response:
            if response.status != HTTPStatus.OK:
                await self._refused(endpoint, response)
            answer = Answer(self._splitter(text))
            await self._read(server, stream, response, answer)
            if (held_back := answer.finish()) is not NOTHING:
                stream.give([held_back])
            if not answer.complete:
                raise self._failures.broken(endpoint, "it ended without saying so", started=stream.started)
            server.breaker.succeeded()
            stream.deadline = math.inf
            stream.end(DoneChunk(usage(stream, answer), answer.finish_reason or "stop", answer.confidence))
            await _finish_reading(response)

    def _splitter(self, text: str) -> AnswerStream | None:
        """What finds reasoning in the text of servers that mark it by tags; a continued answer has none."""
        tags = self._options.think_tags
        return AnswerStream(opened=tags == "opened") if tags and not text else None

    async def _read(
        self, server: _Server, stream: Stream, response: aiohttp.ClientResponse, answer: Answer
    ) -> None:
        if response.content_type == "application/json":
            stream.give([answer.take_whole(await _at_most(response, MAX_WHOLE_BYTES))])
            stream.deltas = answer.deltas
            return
        lines, loop, readany = EventLines(), self._loop, response.content.readany
        idle_s, stopped = self._options.idle_timeout_s, stream.request.stopped
        while not answer.done:
            data = await readany()
            events = lines.feed(data) if data else [lines.rest()]
            stop, pieces = stopped(), []
            try:
                for event in events:
                    if event and (piece := answer.take(event)) is not NOTHING:
                        pieces.append(piece)  # noqa: PERF401  kept when the next event is an error
            finally:  # what came before an error is the reader's
                if pieces and not stop:
                    if not stream.deltas:
                        server.breaker.succeeded()
                    stream.deadline = loop.time() + idle_s
                    stream.give(pieces)
                    stream.deltas = answer.deltas
            if stop:
                raise asyncio.CancelledError
            if not data:
                return

    async def _refused(self, endpoint: Endpoint, response: aiohttp.ClientResponse) -> NoReturn:
        message = message_in(await _at_most(response, MAX_ERROR_BYTES))
        wait_s = retry_after_s(response.headers.get("Retry-After"))
        raise self._failures.refused(endpoint, response.status, message, wait_s)


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts: list[bytes] = []
    while sum(map(len, parts)) < limit and (part := await response.content.readany()):
        parts.append(part)
    return b"".join(parts)[:limit]


async def _finish_reading(response: aiohttp.ClientResponse) -> None:
    """Read to the end, so that the connection can serve the next request; a slow end closes it."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(0.5):
            while await response.content.readany():
                pass
