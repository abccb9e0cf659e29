"""Readers that never read: what they cost the web process, and what the others notice of them."""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from benchmarks.figures import Figures
from benchmarks.processes import rss_mb, unread_mb, wait_until_quiet
from benchmarks.product import Product
from benchmarks.report import Bar, Row
from benchmarks.shapes import PROMPT
from benchmarks.sizes import Sizes
from benchmarks.stream_load import run
from benchmarks.streams import Field

Company = Literal["none", "reading", "not reading"]
COMPANIES: tuple[Company, ...] = ("none", "reading", "not reading")
# A small window, so that what is not read stays with the server and not in this machine's kernel.
RECEIVE_BUFFER_BYTES = 4096
# Each job has some followers: the web process has to write far more than the worker has to make.
JOBS, JOB_RATE = 10, 100
PER_READER_MB = 0.25


def slow_readers(
    everybody: Field, product: Product, upstream_url: str, sizes: Sizes, raw: dict[str, object]
) -> list[Row]:
    """Measure readers beside nobody, beside as many that read, and beside as many that do not."""
    model = f"fake-{JOB_RATE}x{int(JOB_RATE * sizes.slow_s)}"
    product.add_model(model, upstream_url)
    runs: dict[str, Figures] = {}
    kept_mb: dict[str, float] = {}
    contestant = everybody.ours("rest")
    everybody.warm_up(contestant)
    load = contestant.load(sizes.slow_others, sizes.slow_tokens)
    load_s = load.ramp_s + sizes.slow_tokens / 50 + 1
    for company in COMPANIES:
        before_mb = rss_mb(product.pids()["web"])
        with ExitStack() as stack:
            if company != "none":
                jobs = [submit(product, model) for _ in range(JOBS)]
                stack.enter_context(_followers(product, jobs, sizes.slow_each, company == "reading"))
                # The others come last, when as much as will has piled up.
                time.sleep(max(0.0, sizes.slow_s - load_s))
            runs[company] = run(load, everybody.pids(contestant))
            grown_mb = runs[company].peak_rss_mb["web"] - before_mb
            kept_mb[company] = grown_mb + unread_mb(urlsplit(product.url).port or 0)
        wait_until_quiet(product.pids(), below=0.2, timeout_s=20)
    raw["slow readers"] = {"figures": runs, "kept_mb": kept_mb}
    return _rows(runs, kept_mb, sizes)


def _rows(runs: dict[str, Figures], kept_mb: dict[str, float], sizes: Sizes) -> list[Row]:
    slow, reading, alone = runs["not reading"], runs["reading"], runs["none"]
    who = f"{sizes.slow_others} streams beside {sizes.slow_each} SSE and {sizes.slow_each} WebSocket readers"

    def delays(figures: Figures) -> str:
        return f"p50 {figures.delay_p50_ms:.3g} ms, p99 {figures.delay_p99_ms:.3g} ms"

    kept = ", ".join(f"{company} {size:.3g} MB" for company, size in kept_mb.items())
    each = (kept_mb["not reading"] - kept_mb["reading"]) / (2 * sizes.slow_each)
    note = f"beside as many that read: {delays(reading)}; alone: {delays(alone)}"
    return [
        Row(f"{who} that never read: p50 delay", slow.delay_p50_ms, "ms", None, note),
        Row(f"{who} that never read: p99 delay", slow.delay_p99_ms, "ms"),
        Row(f"{who} that never read: tokens lost or repeated", slow.lost + slow.repeated, "", Bar(0)),
        Row("memory for each reader that never reads", each, "MB", Bar(PER_READER_MB), f"in company: {kept}"),
    ]


def submit(product: Product, model: str) -> str:
    """Submit a chat job; its id."""
    body = {"kind": "chat", "model": model, "input": {"messages": [{"role": "user", "content": PROMPT}]}}
    body["input"]["max_tokens"] = 100_000  # type: ignore[index]
    request = Request(
        f"{product.url}/api/v1/jobs",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {product.key}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["id"])


@contextmanager
def _followers(product: Product, jobs: list[str], each: int, reads: bool) -> Iterator[None]:
    """Follow the jobs by `each` streams of events and `each` sockets, and read them or leave them."""
    follow = [follow_by_sse, follow_by_websocket]
    with ExitStack() as stack:
        lines = [
            stack.enter_context(way(product.url, product.key, jobs[number % len(jobs)]))
            for number in range(each)
            for way in follow
        ]
        if reads:
            stack.enter_context(_emptied(lines))
        yield


def follow_by_sse(url: str, key: str, job_id: str) -> socket.socket:
    """Ask for a job's events; nothing is read."""
    line = open_line(url)
    headers = f"Host: {urlsplit(url).netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"
    line.sendall(f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\n{headers}".encode())
    return line


def follow_by_websocket(url: str, key: str, job_id: str) -> socket.socket:
    """Open a socket and follow a job; nothing is read but the handshake."""
    line = open_line(url)
    handshake(line, "/ws/v1", key)
    line.sendall(_text_frame(json.dumps({"op": "follow", "job": job_id})))
    return line


def open_line(url: str) -> socket.socket:
    """A connection with a small window."""
    place = urlsplit(url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    line.settimeout(30)
    line.connect((place.hostname, place.port))
    return line


def handshake(line: socket.socket, path: str, key: str = "") -> None:
    """Make a WebSocket of the connection (RFC 6455 §4.1), signed in with the key if there is one."""
    nonce = base64.b64encode(os.urandom(16)).decode()
    sign_in = f"Sec-WebSocket-Protocol: bearer.{key}\r\n" if key else ""
    line.sendall(
        (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n{sign_in}\r\n"
        ).encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.recv(1)
    if b" 101 " not in answer:
        raise ConnectionError(f"no socket: {answer[:200]!r}")


def _text_frame(text: str) -> bytes:
    """A short text frame as a client sends it (RFC 6455 §5.2): with a mask, here of zeros."""
    data = text.encode()
    assert len(data) < 126
    return bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data


@contextmanager
def _emptied(lines: list[socket.socket]) -> Iterator[None]:
    """Read and forget whatever comes."""
    over = threading.Event()
    ready = selectors.DefaultSelector()
    for line in lines:
        ready.register(line, selectors.EVENT_READ)

    def empty() -> None:
        while not over.is_set():
            for key, _ in ready.select(timeout=0.2):
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(65536):
                    ready.unregister(key.fileobj)

    reader = threading.Thread(target=empty, name="reads-and-forgets", daemon=True)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
        ready.close()
