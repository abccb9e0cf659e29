"""A client as an integrator would write it: REST, server-sent events and the WebSocket, over aiohttp."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from gpu_workers.contract.events import Snapshot, fold, parse_event

Frame = dict[str, Any]


class Client:
    """Speaks to one web process as one person."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str | None) -> None:
        self.session, self.url = session, url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON (or bytes) of an answer."""
        headers = {**self.headers, **options.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **options) as answer:
            if "json" in answer.headers.get("Content-Type", ""):
                return answer.status, await answer.json()
            return answer.status, await answer.read()

    async def submit(self, kind: str, params: Frame, **fields: Any) -> str:
        """Submit a job; its id."""
        headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
        status, job = await self.call(
            "POST", "/api/v1/jobs", json={"kind": kind, "input": params, **fields}, headers=headers
        )
        assert status == 202, job
        return str(job["id"])

    async def job(self, job_id: str) -> Frame:
        """The job as it reads."""
        status, job = await self.call("GET", f"/api/v1/jobs/{job_id}")
        assert status == 200, job
        return dict(job)

    async def settled(self, job_id: str, timeout_s: float = 60) -> Frame:
        """The job, once its row is terminal."""
        deadline = time.monotonic() + timeout_s
        while True:
            job = await self.job(job_id)
            if job["finished_at"] is not None:
                return job
            assert time.monotonic() < deadline, job
            await asyncio.sleep(0.1)

    async def events(self, job_id: str, after: str = "") -> AsyncIterator[Frame]:
        """The job's events by SSE, to the end of the stream."""
        path = f"{self.url}/api/v1/jobs/{job_id}/events" + (f"?after={after}" if after else "")
        timeout = aiohttp.ClientTimeout(total=None, sock_read=120)
        async with self.session.get(path, headers=self.headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            frame: Frame = {}
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if not line and frame:
                    yield frame
                    frame = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    if name:
                        frame[name if name != "event" else "type"] = (
                            json.loads(value) if name == "data" else value
                        )

    async def read_to_end(self, job_id: str, after: str = "") -> list[Frame]:
        """All events to the terminal one."""
        return [event async for event in self.events(job_id, after)]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[Socket]:
        """A signed-in WebSocket."""
        key = self.headers["Authorization"].removeprefix("Bearer ")
        url = self.url.replace("http", "ws", 1) + "/ws/v1"
        async with self.session.ws_connect(url, protocols=(f"bearer.{key}",), max_msg_size=0) as raw:
            yield Socket(raw)


class Socket:
    """A WebSocket that speaks JSON frames."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self.numbered: dict[int, str] = {}

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        if "as" in frame and "job" in frame:
            self.numbered[frame["as"]] = frame["job"]
        await self.raw.send_str(json.dumps(frame))

    async def receive(self, timeout_s: float = 30) -> Frame:
        """The next frame; a delta in short as the event that it stands for, with `as`."""
        frame = await self.raw.receive_json(timeout=timeout_s)
        if not isinstance(frame, list):
            return dict(frame)
        number, id_, data = frame
        job = self.numbered[number]
        return {"op": "event", "as": number, "job": job, "id": id_, "type": "delta", "data": data}

    async def receive_op(self, op: str, timeout_s: float = 30) -> Frame:
        """The next frame with this op; others are passed over."""
        while True:
            frame = await self.receive(timeout_s)
            if frame["op"] == op:
                return frame

    async def read_to_end(self, job_id: str, timeout_s: float = 60) -> list[Frame]:
        """The job's events to the terminal one."""
        events: list[Frame] = []
        while not events or events[-1]["type"] not in ("finished", "failed", "cancelled", "blocked"):
            frame = await self.receive(timeout_s)
            if frame["op"] == "event" and frame["job"] == job_id:
                events.append(frame)
        return events


def fold_frames(frames: list[Frame]) -> Snapshot:
    """The snapshot that these frames give."""
    return fold(parse_event(frame["type"], frame["data"]) for frame in frames)
