"""Many jobs and many clients that come and go leave nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from redis import Redis

from tests.client import Client
from tests.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

JOBS = 1000
WARM_UP = 300
CLIENTS = 2000
MB = 1024 * 1024


def memory_bytes(stack: Stack, name: str) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{stack.pid(name)}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{name} is gone")


def open_files(stack: Stack, name: str) -> int:
    """How many descriptors a process holds."""
    return len(list(Path(f"/proc/{stack.pid(name)}/fd").iterdir()))


async def run_jobs(client: Client, count: int) -> None:
    """That many small jobs over one socket, followed to their ends."""
    async with client.socket() as socket:
        running = 0
        for number in range(count):
            words = {"text": f"{number}", "language": "en"}
            await socket.send(op="submit", kind="voice", input=words, priority="batch")
            running += 1
            while running >= 20 or (number == count - 1 and running):
                frame = await socket.receive(60)
                assert frame["op"] != "error", frame
                running -= frame.get("type") == "finished"
                assert frame.get("type") != "failed", frame


async def test_a_thousand_jobs_leave_memory_flat(stack: Stack, ada: Client) -> None:
    await run_jobs(ada, WARM_UP)
    before = {name: memory_bytes(stack, name) for name in ("web", "gpu", "cpu")}
    await run_jobs(ada, JOBS - WARM_UP)
    grown = {name: (memory_bytes(stack, name) - size) / MB for name, size in before.items()}
    assert all(growth < 25 for growth in grown.values()), grown


async def test_clients_that_vanish_leave_no_connection_and_no_memory(stack: Stack, ada: Client) -> None:
    redis = Redis.from_url(stack.redis.url)
    job_id = await ada.submit("voice", {"text": "Hello.", "language": "en"})
    await ada.settled(job_id)
    await vanish(ada, 200)
    await asyncio.sleep(1)
    before = (open_files(stack, "web"), len(redis.client_list()), memory_bytes(stack, "web"))
    for _ in range(CLIENTS // 200):
        await vanish(ada, 200)
    await asyncio.sleep(8)  # a live reader without followers ends after its blocking read
    files, connections, memory = (
        open_files(stack, "web"),
        len(redis.client_list()),
        memory_bytes(stack, "web"),
    )
    assert files <= before[0] + 10
    assert connections <= before[1] + 5
    assert (memory - before[2]) / MB < 25


async def vanish(client: Client, count: int) -> None:
    """Open sockets, begin something on each, and cut them without a word."""
    key = client.headers["Authorization"].removeprefix("Bearer ")
    url = client.url.replace("http", "ws", 1) + "/ws/v1"

    async def one(session: aiohttp.ClientSession) -> None:
        socket = await session.ws_connect(url, protocols=(f"bearer.{key}",))
        await socket.send_str('{"op": "ping"}')
        assert (await socket.receive_json(timeout=60))["op"] == "pong"
        transport = socket._response.connection.transport  # type: ignore[union-attr]
        transport.abort()  # type: ignore[union-attr]  # no close frame, as a lost network

    for _ in range(count // 25):
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(one(session) for _ in range(25)))
