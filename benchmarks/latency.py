"""One job after the other on an idle worker: how long until it starts, and what the product adds to the first token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.figures import Reading, milliseconds, percentile, read
from benchmarks.product import FAKE_MODEL, Product
from benchmarks.report import Bar, Row
from benchmarks.shapes import Load, Record, Shape
from benchmarks.stream_load import ask_once

STARTED_MS, ADDED_MS = 25.0, 10.0
WARM_UPS = 5
PAUSE_S = 0.03  # between two jobs: the settling of the last one is over, the worker idle
SHAPES: tuple[Shape, ...] = ("openai", "rest", "websocket")


@dataclass(slots=True)
class Waits:
    """Seconds until the job started and until its first token, of one shape; and what failed."""

    started_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, reading: Reading) -> None:
        """Take in one job."""
        if reading.failure:
            self.failures.append(reading.failure)
        if reading.started_s is not None:
            self.started_s.append(reading.started_s)
        if reading.first_s is not None:
            self.first_s.append(reading.first_s)


def latency(product: Product, upstream_url: str, submits: int, raw: dict[str, object]) -> list[Row]:
    """`submits` jobs over each transport and as many requests to the upstream itself, in turn."""
    loads = {
        shape: Load(
            shape=shape,
            url=upstream_url if shape == "openai" else product.url,
            model=FAKE_MODEL,
            streams=1,
            tokens=1,
            key="" if shape == "openai" else product.key,
            timeout_s=30,
        )
        for shape in SHAPES
    }
    waits = asyncio.run(_one_after_the_other(loads, submits))
    raw["latency"] = waits
    return rows_of(waits, submits)


async def _one_after_the_other(loads: dict[Shape, Load], submits: int) -> dict[Shape, Waits]:
    waits = {shape: Waits() for shape in loads}
    async with aiohttp.ClientSession() as session:
        for number in range(WARM_UPS + submits):
            for shape, load in loads.items():
                record = Record()
                await ask_once(session, load, record)
                if number >= WARM_UPS:
                    waits[shape].add(read(shape, record))
                await asyncio.sleep(PAUSE_S)
    return waits


def rows_of(waits: dict[Shape, Waits], submits: int) -> list[Row]:
    """A job that never started, or had no token, is not left out: the row says what failed and has no value."""
    direct = _percentile_ms(waits["openai"].first_s, 50, submits)
    rows = []
    for shape in ("rest", "websocket"):
        wait = waits[shape]
        failed = "; ".join(sorted(set(wait.failures))[:3])
        started = _percentile_ms(wait.started_s, 99, submits)
        note = f"p50 {_percentile_ms(wait.started_s, 50, submits):.3g} ms, {submits} jobs; {failed}".rstrip(
            "; "
        )
        rows.append(
            Row(f"submit to `started`, idle worker, p99 ({shape})", started, "ms", Bar(STARTED_MS), note)
        )
        first = _percentile_ms(wait.first_s, 50, submits)
        note = f"through the product {first:.3g} ms, the upstream alone {direct:.3g} ms"
        what = f"added time to first token, p50 ({shape})"
        rows.append(Row(what, round(first - direct, 1), "ms", Bar(ADDED_MS), note))
    return rows


def _percentile_ms(values_s: Sequence[float], percent: float, expected: int) -> float:
    """Not a number when some of the expected values are not there: the missing ones would be the slowest."""
    return milliseconds(percentile(sorted(values_s), percent)) if len(values_s) == expected else float("nan")
