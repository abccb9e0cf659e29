"""A load client: many streams at once from the fake upstream's tokens, over any of the shapes of `shapes`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import get_args

import aiohttp

from benchmarks.figures import Figures, figures, percentile
from benchmarks.open_webui_shape import ask_open_webui
from benchmarks.processes import sampling
from benchmarks.shapes import Ask, Load, Record, Shape, ask_openai, ask_rest, ask_websocket

__all__ = ["ASK", "Figures", "Load", "ask_once", "percentile", "run"]

ASK: dict[Shape, Ask] = {
    "openai": ask_openai,
    "rest": ask_rest,
    "websocket": ask_websocket,
    "open-webui": ask_open_webui,
}


def run(load: Load, pids: Mapping[str, int] | None = None) -> Figures:
    """Drive the load and read its figures; `pids` names the processes whose cost is asked for."""
    with sampling(pids or {}) as costs, _without_collector():
        begun = time.monotonic()
        records = asyncio.run(_drive(load))
        wall_s = time.monotonic() - begun
    return figures(load, records, wall_s, costs.costs)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A collection of what the client has noted takes long enough to be seen as a delay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _drive(load: Load) -> list[Record]:
    records = [Record(index) for index in range(load.streams)]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=load.timeout_s)
    ) as session:
        await asyncio.gather(*(_begin(session, load, record) for record in records))
    return records


async def _begin(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    await asyncio.sleep(load.ramp_s * record.index / load.streams)
    await ask_once(session, load, record)


async def ask_once(session: aiohttp.ClientSession, load: Load, record: Record) -> None:
    """One stream to its end; what goes wrong is in `record.failure`."""
    record.asked_at = time.time()
    try:
        async with asyncio.timeout(load.timeout_s):
            await ASK[load.shape](session, load, record)
    except TimeoutError:
        record.failure = f"no end within {load.timeout_s:g} s"
    except aiohttp.ClientError as error:
        record.failure = f"{type(error).__name__}: {error}"


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
