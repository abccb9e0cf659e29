"""The load client, against the fake upstream and a server in our own shapes: it must count what is true."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from benchmarks.fake_upstream import Script, Settings, running, token_text
from benchmarks.processes import cpu_s, rss_mb, sampling
from benchmarks.stream_load import Load, percentile, run

BROKEN_FROM = 6


def test_all_tokens_of_all_streams_are_counted_with_their_delays() -> None:
    with running() as upstream:
        load = Load("openai", upstream.url, "fake-200x40", streams=20, tokens=40, ramp_s=0.2)
        figures = run(load, {"here": os.getpid()})
    assert (figures.tokens, figures.lost, figures.repeated, figures.failures) == (800, 0, 0, [])
    assert 0 <= figures.delay_p50_ms <= figures.delay_p99_ms < 1000
    assert 0 < figures.first_p50_ms < 1000
    assert 150 < figures.bytes_per_token < 300
    assert figures.cpu_s_per_100k["here"] > 0
    assert figures.peak_rss_mb["here"] > 10


def test_what_is_lost_and_what_failed_is_seen() -> None:
    settings = Settings(Script(rate=1000.0, tokens=10, break_after=4), fail_first=1, fail_status=503)
    with running(settings) as upstream:
        figures = run(Load("openai", upstream.url, "any", streams=3, tokens=10, ramp_s=0.3))
    assert (figures.tokens, figures.lost) == (8, 22)
    assert any(failure.startswith("503: ") for failure in figures.failures)
    assert any(failure.startswith("ClientPayloadError") for failure in figures.failures)


async def _sse(request: web.Request) -> web.StreamResponse:
    assert request.headers["Authorization"] == "Bearer k"
    assert (await request.json())["stream"] is True
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async for type_, data in _job_events():
        await response.write(f"id: 1-1\nevent: {type_}\ndata: {json.dumps(data)}\n\n".encode())
    return response


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("bearer.k",))
    await socket.prepare(request)
    frame = await socket.receive_json()
    assert (frame["op"], frame["kind"]) == ("submit", "chat")
    await socket.send_json({"op": "accepted", "ref": frame["ref"], "job": "j"})
    async for type_, data in _job_events():
        event = {"op": "event", "job": "j", "id": "1-1", "type": type_, "data": data}
        await socket.send_str(json.dumps(event, separators=(",", ":")))
    await socket.close()
    return socket


async def _job_events() -> AsyncIterator[tuple[str, dict[str, object]]]:
    """Ten tokens: one cut over two deltas, two in one delta, one given twice; and a failure at the end."""
    tokens = [token_text(i, 1.0) for i in range(10)]
    yield "started", {"attempt": 1, "model": "m"}
    yield "delta", {"reasoning": tokens[0]}
    yield "delta", {"text": tokens[1][:5]}
    yield "delta", {"text": tokens[1][5:] + tokens[2] + tokens[3]}
    for token in (*tokens[4:], tokens[9]):
        yield "delta", {"text": token}
    yield "failed", {"code": "upstream_broken", "message": "It broke.", "retryable": True}


@contextmanager
def studio() -> Iterator[str]:
    """A server in our own shapes."""
    loop, stop, ready, address = asyncio.new_event_loop(), asyncio.Event(), threading.Event(), []

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/api/v1/chat", _sse)
        app.router.add_get("/ws/v1", _socket)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(5)
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


@pytest.mark.parametrize("shape", ["rest", "websocket"])
def test_our_own_shapes_are_read(shape: str) -> None:
    with studio() as url:
        figures = run(Load(shape, url, "m", streams=2, tokens=10, key="k", ramp_s=0.0))  # type: ignore[arg-type]
    assert (figures.tokens, figures.lost, figures.repeated) == (22, 0, 2)
    assert figures.failures == ["upstream_broken: It broke."]


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
    assert percentile([float(i) for i in range(1, 101)], 99) == 99.0


def test_the_sampler_sees_this_process_work() -> None:
    with sampling({"here": os.getpid()}) as costs:
        while cpu_s(os.getpid()) == 0 or costs.costs["here"].peak_rss_mb == 0:
            sum(range(10_000))
    assert costs.costs["here"].cpu_s > 0
    assert costs.costs["here"].peak_rss_mb == pytest.approx(rss_mb(os.getpid()), rel=0.5)
    with pytest.raises(ProcessLookupError), sampling({"nobody": 2**22 + 1}):
        pass
