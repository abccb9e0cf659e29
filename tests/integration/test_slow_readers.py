"""Whoever does not read costs little, holds nobody up, and loses nothing by coming back."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.error import URLError
from urllib.request import urlopen

import aiohttp
import pytest

from benchmarks.processes import rss_mb
from benchmarks.slow_readers import RECEIVE_BUFFER_BYTES, handshake, open_line
from tests.client import Client, fold_frames
from tests.numbers_app import PIECE_BYTES, PIECES, piece
from tests.stack import ROOT, Stack, free_port

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

STALLED_S = 2.0
SERVE = f"""
from aigc import web_server
web_server.STALLED_S = {STALLED_S}
web_server.WebServer.entrypoint()
"""
# What the kernel and Twisted keep, the client's own window, and a piece on its way.
KEPT_BYTES = 4 * 64 * 1024 + RECEIVE_BUFFER_BYTES + PIECE_BYTES


@pytest.fixture
def server() -> Iterator[str]:
    """Our server with an application that sends as fast as it may."""
    port = free_port()
    command = [sys.executable, "-c", SERVE, "-v", "0", "-p", str(port), "tests.numbers_app:application"]
    process = subprocess.Popen(command, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: bool(state(url)), within_s=30)
        yield url
    finally:
        process.kill()
        process.wait()


def state(url: str) -> dict[str, int]:
    try:
        with urlopen(f"{url}/state", timeout=5) as answer:  # noqa: S310  our own address
            return dict(json.load(answer))
    except URLError:
        return {}


def wait_until(is_so: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read_to_end(line: socket.socket) -> None:
    while line.recv(65536):
        pass


def ask_by_http(url: str) -> socket.socket:
    line = open_line(url)
    line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return line


def ask_by_websocket(url: str) -> socket.socket:
    line = open_line(url)
    handshake(line, "/")
    return line


ASK = pytest.mark.parametrize("ask", [ask_by_http, ask_by_websocket])


@ASK
def test_the_application_waits_for_its_reader_who_then_gets_everything(
    server: str, ask: Callable[[str], socket.socket]
) -> None:
    with closing(ask(server)) as line:
        wait_until(lambda: state(server)["sent"] > 0, within_s=5)
        time.sleep(STALLED_S / 2)
        assert state(server)["sent"] * PIECE_BYTES < KEPT_BYTES
        received = bytearray()
        while len(received) < PIECES * PIECE_BYTES and (data := line.recv(65536)):
            received += data
    begins = received.index(piece(0)[:9].encode())
    # Chunks and frames have headers of some bytes; the lines between them are whole and in order.
    assert len(received) >= PIECES * PIECE_BYTES
    assert [received.count(piece(number)[:900].encode()) for number in (0, PIECES // 2, PIECES - 2)] == [
        1
    ] * 3
    assert begins < 400


@ASK
def test_a_reader_that_takes_nothing_is_cut_off(server: str, ask: Callable[[str], socket.socket]) -> None:
    with closing(ask(server)) as line:
        asked_at = time.monotonic()
        wait_until(lambda: state(server)["gone"] == 1, within_s=STALLED_S + 3)
        assert time.monotonic() - asked_at >= STALLED_S
        with pytest.raises(ConnectionResetError):
            read_to_end(line)


def test_a_slow_reader_is_not_taken_for_a_stalled_one(server: str) -> None:
    with closing(ask_by_http(server)) as line:
        until = time.monotonic() + 2 * STALLED_S
        while time.monotonic() < until:
            assert line.recv(16 * 1024)
            time.sleep(0.02)
        assert state(server)["gone"] == 0


async def test_downloads_that_nobody_reads_cost_little(stack: Stack, ada: Client) -> None:
    sentences = " ".join(f"This is sentence number {n} of a long speech." for n in range(60))
    job = await ada.settled(await ada.submit("voice", {"text": sentences, "language": "en"}))
    url = job["result"]["artifacts"][0]["url"]
    _, whole = await ada.call("GET", url)
    before_mb = rss_mb(stack.pid("web"))
    with ExitStack() as lines:
        for _ in range(40):
            line = lines.enter_context(closing(open_line(stack.url())))
            key = ada.headers["Authorization"]
            line.sendall(f"GET {url} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n\r\n".encode())
        await asyncio.sleep(5)
        grown_mb = rss_mb(stack.pid("web")) - before_mb
        assert (await ada.call("GET", url))[1] == whole
    # All of them together hold less than a quarter of what they asked for.
    assert grown_mb < 40 * len(whole) / 1e6 / 4


async def test_a_reader_that_paused_gets_the_rest(stack: Stack, ada: Client) -> None:
    params = {"messages": [{"role": "user", "content": "A long one."}], "temperature": 0, "max_tokens": 1500}
    job_id = await ada.submit("chat", params)
    path = f"{ada.url}/api/v1/jobs/{job_id}/events"
    async with (
        aiohttp.ClientSession(read_bufsize=1024) as session,
        session.get(path, headers=ada.headers) as paused,
    ):
        job = await ada.settled(job_id, 120)
        lines = (await paused.text()).splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    types = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    frames = [{"type": kind, "data": json.loads(text)} for kind, text in zip(types, data, strict=True)]
    assert fold_frames(frames).text == job["result"]["text"]
