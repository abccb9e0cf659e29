"""From what a load client noted to its figures: delays, losses, costs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.open_webui_shape import open_webui_pieces
from benchmarks.processes import Cost
from benchmarks.shapes import (
    Load,
    Pieces,
    Record,
    Shape,
    openai_pieces,
    rest_pieces,
    websocket_pieces,
)

# A token without the space behind it: some servers strip the text's end, and the stamp's length is fixed.
STAMP = re.compile(r"(\d+)@(\d+\.\d{6})")
PIECES: dict[Shape, Callable[[Record], Pieces]] = {
    "openai": openai_pieces,
    "rest": rest_pieces,
    "websocket": websocket_pieces,
    "open-webui": open_webui_pieces,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run showed. Delays are receive - emission; `first_*` is from asking to the first token."""

    streams: int
    tokens: int
    lost: int
    repeated: int
    failures: list[str]
    wall_s: float
    delay_p50_ms: float
    delay_p99_ms: float
    delay_max_ms: float
    first_p50_ms: float
    first_p99_ms: float
    bytes_per_token: float
    cpu_s_per_100k: dict[str, float]
    peak_rss_mb: dict[str, float]


@dataclass(slots=True)
class Reading:
    """One record, read. `indices` are the tokens of the text as a reader has it at the end."""

    indices: list[int] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    first_s: float | None = None
    started_s: float | None = None
    size: int = 0
    failure: str = ""


def read(shape: Shape, record: Record) -> Reading:
    """Take a record apart. A token's delay is that of the first time it came."""
    result = Reading(failure=record.failure, size=sum(len(data) for _, data in record.pieces))
    text, seen = "", set[int]()
    for piece in PIECES[shape](record):
        result.failure = result.failure or piece.failure
        if piece.is_start and result.started_s is None:
            result.started_s = piece.at - record.asked_at
        if piece.resets:
            text, result.indices = "", []
        text += piece.text
        end = 0
        for match in STAMP.finditer(text):
            end, index = match.end(), int(match[1])
            result.indices.append(index)
            if index not in seen:
                seen.add(index)
                result.delays_s.append(piece.at - float(match[2]))
            if result.first_s is None:
                result.first_s = piece.at - record.asked_at
        text = text[end:]
    return result


def figures(load: Load, records: Sequence[Record], wall_s: float, costs: Mapping[str, Cost]) -> Figures:
    """Put all records together."""
    readings = [read(load.shape, record) for record in records]
    delays = sorted(delay for each in readings for delay in each.delays_s)
    firsts = sorted(each.first_s for each in readings if each.first_s is not None)
    tokens = sum(len(each.indices) for each in readings)
    return Figures(
        streams=load.streams,
        tokens=tokens,
        lost=sum(lost(each.indices, load.tokens) for each in readings),
        repeated=sum(repeated(each.indices) for each in readings),
        failures=sorted({each.failure for each in readings if each.failure}),
        wall_s=round(wall_s, 2),
        delay_p50_ms=milliseconds(percentile(delays, 50)),
        delay_p99_ms=milliseconds(percentile(delays, 99)),
        delay_max_ms=milliseconds(percentile(delays, 100)),
        first_p50_ms=milliseconds(percentile(firsts, 50)),
        first_p99_ms=milliseconds(percentile(firsts, 99)),
        bytes_per_token=round(sum(each.size for each in readings) / max(1, tokens), 1),
        cpu_s_per_100k={name: cpu_per_100k(cost, tokens) for name, cost in costs.items()},
        peak_rss_mb={name: round(cost.peak_rss_mb, 1) for name, cost in costs.items()},
    )


def lost(indices: Sequence[int], tokens: int) -> int:
    """How many of tokens 0 to `tokens` - 1 are not there."""
    return len(set(range(tokens)).difference(indices))


def repeated(indices: Sequence[int]) -> int:
    """How many came more than once, each time counted."""
    return len(indices) - len(set(indices))


def cpu_per_100k(cost: Cost, tokens: int) -> float:
    """CPU seconds for 100,000 tokens; not a number when none came."""
    return round(cost.cpu_s / tokens * 1e5, 2) if tokens else math.nan


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of an ascending sequence; not a number for an empty one."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def milliseconds(seconds: float) -> float:
    """Rounded to a tenth."""
    return round(seconds * 1000, 1)
