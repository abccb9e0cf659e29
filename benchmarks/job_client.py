"""Jobs of any medium through the product: submitted over WebSockets, counted when they end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from benchmarks.product import Product
from benchmarks.shapes import TERMINAL_TYPES

TIMEOUT_S = 300.0


class JobFailed(Exception):
    """A job ended otherwise than well; the message says how."""


def run_jobs(
    product: Product, kind: str, model: str, inputs: Sequence[Mapping[str, Any]]
) -> tuple[float, float]:
    """What was made (tokens, images or seconds of speech) and the seconds it took, all inputs at once.

    Each job has a socket of its own, signed in before the clock starts. Raises JobFailed.
    """
    return asyncio.run(_run_jobs(product, kind, model, inputs))


async def _run_jobs(
    product: Product, kind: str, model: str, inputs: Sequence[Mapping[str, Any]]
) -> tuple[float, float]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(TIMEOUT_S):
        sockets = [
            await session.ws_connect(
                f"{product.url}/ws/v1", protocols=(f"bearer.{product.key}",), max_msg_size=0
            )
            for _ in inputs
        ]
        submits = [
            {"op": "submit", "ref": "1", "kind": kind, "model": model, "input": each} for each in inputs
        ]
        begun = time.monotonic()
        made = await asyncio.gather(*map(_run_job, sockets, submits))
        seconds = time.monotonic() - begun
        await asyncio.gather(*(socket.close() for socket in sockets))
        return sum(made), seconds


async def _run_job(socket: aiohttp.ClientWebSocketResponse, submit: Mapping[str, Any]) -> float:
    await socket.send_json(submit)
    made = 0.0
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            break
        if '"type":"delta"' in message.data:
            continue
        frame = json.loads(message.data)
        made += made_in(frame)
        if frame["op"] == "error" or frame.get("type") in TERMINAL_TYPES - {"finished"}:
            raise JobFailed(f"a {submit['kind']} job of model {submit['model']}: {message.data[:300]}")
        if frame.get("type") == "finished":
            return made
    raise JobFailed(f"the socket closed ({socket.close_code}) before the job ended")


def made_in(frame: Mapping[str, Any]) -> float:
    """Tokens, images or seconds of speech that a frame stands for."""
    data = frame.get("data") or {}
    match frame.get("type"):
        case "finished":
            return float(data.get("usage", {}).get("completion_tokens", 0))
        case "artifact" if data["media_type"].startswith("image/"):
            return 1.0
        case "artifact":
            return float(data["duration_s"])
    return 0.0
