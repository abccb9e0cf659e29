"""Streams of the fake upstream's tokens through the product and through the peers, in turn."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from benchmarks.figures import Figures
from benchmarks.peer_servers import Peers
from benchmarks.product import FAKE_MODEL, Product
from benchmarks.report import Bar, Row, ratio
from benchmarks.shapes import Load, Shape
from benchmarks.sizes import Sizes
from benchmarks.stream_load import run

OURS, DIRECT, LITELLM, OPEN_WEBUI = "ours", "direct", "litellm", "open-webui"
# Not the contestant's own: in brackets, so that they are left out of its sum.
UPSTREAM, CLIENT = "(upstream)", "(client)"
STREAMS_A_SECOND = (
    50  # so that 400 streams of 8 s are just all there at once, and their beginnings do not hide the rest
)
WARM_UP_STREAMS, WARM_UP_TOKENS = 5, 10
SSE_DELAY_MS = {25: 10.0, 100: 15.0, 400: 80.0}
WEB_IDLE_MB, WEB_BUSY_MB = 130.0, 200.0
NONE_LOST = Bar(0)
Runs = dict[str, list[Figures]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who answers a load: in which shape and where, and which processes that costs."""

    name: str
    shape: Shape
    url: str
    pids: Callable[[], Mapping[str, int]]
    key: str = field(default="", repr=False)
    keys: tuple[str, ...] = field(default=(), repr=False)

    def load(self, streams: int, tokens: int) -> Load:
        """The load for it."""
        return Load(
            shape=self.shape,
            url=self.url,
            model=FAKE_MODEL,
            streams=streams,
            tokens=tokens,
            key=self.key,
            keys=self.keys,
            ramp_s=max(0.5, streams / STREAMS_A_SECOND),
            timeout_s=30 + tokens / 50 * 6,  # a peer may take six times as long as the tokens do
        )


class Field:
    """Everybody who can be asked in this run."""

    def __init__(self, product: Product, upstream: tuple[str, int], peers: Peers) -> None:
        self._product, self._peers = product, peers
        self._upstream_url, self._upstream_pid = upstream
        self._warm: set[tuple[str, Shape]] = set()

    def ours(self, shape: Shape) -> Contestant:
        """The product."""
        return Contestant(OURS, shape, self._product.url, self._product.pids, key=self._product.key)

    def direct(self) -> Contestant:
        """The upstream itself: what of a delay is its own and the client's."""
        return Contestant(DIRECT, "openai", self._upstream_url, dict)

    def litellm(self) -> list[Contestant]:
        """LiteLLM's proxy, if it runs."""
        return [
            Contestant(LITELLM, "openai", peer.url, _one(LITELLM, peer.pid), key=peer.key)
            for name, peer in self._peers.running.items()
            if name == LITELLM
        ]

    def open_webui(self, shape: Shape) -> list[Contestant]:
        """Open WebUI, if it runs: its pass-through, or the way of its page."""
        return [
            Contestant(
                OPEN_WEBUI,
                shape,
                f"{peer.url}/openai" if shape == "openai" else peer.url,
                _one(OPEN_WEBUI, peer.pid),
                key=peer.key,
                keys=peer.keys if shape == "open-webui" else (),
            )
            for name, peer in self._peers.running.items()
            if name == OPEN_WEBUI
        ]

    def why_not(self, name: str) -> str:
        """Why a peer was not measured."""
        return f"{name}: {self._peers.missing.get(name, 'not part of this load')}"

    def pids(self, contestant: Contestant) -> dict[str, int]:
        """What to sample while it is asked."""
        return {**contestant.pids(), UPSTREAM: self._upstream_pid, CLIENT: os.getpid()}

    def warm_up(self, contestant: Contestant) -> None:
        """Have it load what it loads on first use; done once for each contestant and shape."""
        if (contestant.name, contestant.shape) not in self._warm:
            self._warm.add((contestant.name, contestant.shape))
            run(contestant.load(WARM_UP_STREAMS, WARM_UP_TOKENS))

    def compare(self, contestants: Sequence[Contestant], streams: int, sizes: Sizes) -> Runs:
        """Ask everybody in turn, round by round, each round beginning with another one."""
        runs: Runs = {contestant.name: [] for contestant in contestants}
        for contestant in contestants:
            self.warm_up(contestant)
        for number in range(sizes.rounds):
            start = number % len(contestants)
            for contestant in (*contestants[start:], *contestants[:start]):
                load = contestant.load(streams, sizes.tokens)
                runs[contestant.name].append(run(load, self.pids(contestant)))
        return runs


def _one(name: str, pid: int) -> Callable[[], Mapping[str, int]]:
    return lambda: {name: pid}


# --- figures of several rounds


def own_cpu(figures: Figures) -> float:
    """CPU seconds per 100,000 tokens of the contestant's own processes."""
    return sum(value for name, value in figures.cpu_s_per_100k.items() if not name.startswith("("))


def middle(runs: Iterable[Figures], value: Callable[[Figures], float]) -> float:
    """The median over the rounds; not a number if one round has none."""
    values = [value(each) for each in runs]
    return math.nan if not values or any(map(math.isnan, values)) else median(values)


def lost_and_repeated(runs: Iterable[Figures]) -> int:
    """Over all rounds."""
    return sum(each.lost + each.repeated for each in runs)


def cpu_note(runs: Sequence[Figures]) -> str:
    """CPU by process, such as `web 2.1, redis 0.8`."""

    def of(name: str) -> float:
        return middle(runs, lambda each: each.cpu_s_per_100k.get(name, math.nan))

    return ", ".join(f"{name} {of(name):.3g}" for name in runs[0].cpu_s_per_100k)


def failures_note(runs: Iterable[Figures]) -> str:
    """The first few failures."""
    failures = sorted({failure for each in runs for failure in each.failures})
    return "; ".join(failures[:3])


def against(
    what: str, runs: Runs, peer: str, value: Callable[[Figures], float], *, bar: float, why: str
) -> Row:
    """Ours for each of the peer's, both in the note."""
    name = f"{what}, against {peer}"
    if not runs.get(peer):
        return Row(name, None, "x", Bar(bar), why)
    ours, theirs = middle(runs[OURS], value), middle(runs[peer], value)
    note = f"ours {ours:.4g}, {peer} {theirs:.4g}"
    if failures := failures_note(runs[peer]):
        note += f"; {peer} failed: {failures}"
    return Row(name, ratio(ours, theirs), "x", Bar(bar), note)


# --- what is measured


def server_sent_events(everybody: Field, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """SSE at each number of streams."""
    rows: list[Row] = []
    for streams in sizes.sse:
        contestants = [everybody.ours("rest"), everybody.direct()]
        if streams == sizes.peers_at:
            contestants += everybody.litellm()
        if streams in (sizes.peers_at, sizes.pass_through_at):
            contestants += everybody.open_webui("openai")
        runs = everybody.compare(contestants, streams, sizes)
        raw[f"sse {streams}"] = runs
        rows += _sse_rows(runs, streams, everybody, sizes)
    return rows


def _sse_rows(runs: Runs, streams: int, everybody: Field, sizes: Sizes) -> list[Row]:
    where = f"SSE, {streams} streams"
    bar = SSE_DELAY_MS.get(streams)
    rows = _delay_and_loss(runs, where, Bar(bar) if bar else None)
    if streams == sizes.peers_at:
        why = everybody.why_not(LITELLM)
        rows.append(against(f"{where}: CPU", runs, LITELLM, own_cpu, bar=0.2, why=why))
        why = everybody.why_not(OPEN_WEBUI)
        rows.append(against(f"{where}: first token p50", runs, OPEN_WEBUI, _first, bar=0.15, why=why))
    if streams == sizes.pass_through_at:
        rows.append(
            against(f"{where}: CPU", runs, OPEN_WEBUI, own_cpu, bar=0.8, why=everybody.why_not(OPEN_WEBUI))
        )
    return rows


def _first(figures: Figures) -> float:
    return figures.first_p50_ms


def _delay(figures: Figures) -> float:
    return figures.delay_p99_ms


def _bytes(figures: Figures) -> float:
    return figures.bytes_per_token


def _delay_and_loss(runs: Runs, where: str, bar: Bar | None) -> list[Row]:
    """The rows that every load has."""
    ours = runs[OURS]
    note = f"p50 {middle(ours, lambda each: each.delay_p50_ms):.3g} ms"
    if direct := runs.get(DIRECT):
        note += f"; straight from the upstream p99 {middle(direct, _delay):.3g} ms"
    return [
        Row(f"{where}: p99 delay", middle(ours, _delay), "ms", bar, note),
        Row(f"{where}: tokens lost or repeated", lost_and_repeated(ours), "", NONE_LOST, failures_note(ours)),
        Row(f"{where}: CPU for 100k tokens", middle(ours, own_cpu), "s", None, cpu_note(ours)),
        Row(f"{where}: first token p50", middle(ours, _first), "ms"),
    ]


def websocket(everybody: Field, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """The WebSocket at each number of users, against Open WebUI's browser path."""
    rows: list[Row] = []
    for users in sizes.websocket:
        contestants = [everybody.ours("websocket"), *everybody.open_webui("open-webui")]
        runs = everybody.compare(contestants, users, sizes)
        raw[f"websocket {users}"] = runs
        where, why = f"WebSocket, {users} users", everybody.why_not(OPEN_WEBUI)
        rows += _delay_and_loss(runs, where, None)
        rows.append(Row(f"{where}: bytes per token", middle(runs[OURS], _bytes), "B"))
        rows += [
            against(f"{where}: {what}", runs, OPEN_WEBUI, value, bar=bar, why=why)
            for what, value, bar in (
                ("CPU", own_cpu, 0.4),
                ("first token p50", _first, 0.05),
                ("bytes per token", _bytes, 0.15),
                ("p99 delay", _delay, 0.3),
            )
        ]
    return rows


def redis_restart(everybody: Field, product: Product, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """kill -9 Redis in the middle of the streams; the supervisor brings it back."""
    rows = []
    for shape in ("rest", "websocket"):
        contestant = everybody.ours(shape)
        everybody.warm_up(contestant)
        load = contestant.load(sizes.restart_streams, sizes.tokens)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run, load)
            time.sleep(load.ramp_s + sizes.tokens / 50 / 3)
            away_s = product.kill_redis()
            figures = running.result()
        raw[f"redis restart {shape}"] = figures
        note = f"Redis started again after {away_s:.2f} s; longest delay {figures.delay_max_ms:.0f} ms"
        if failures := failures_note([figures]):
            note += f"; failed: {failures}"
        what = f"kill -9 of Redis under {load.streams} streams ({shape}): tokens lost or repeated"
        rows.append(Row(what, figures.lost + figures.repeated, "", NONE_LOST, note))
    return rows


def memory(everybody: Field, product: Product, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """The web process after its start, and at its largest under streams."""
    contestant = everybody.ours("rest")
    everybody.warm_up(contestant)
    figures = run(contestant.load(sizes.memory_streams, sizes.tokens), everybody.pids(contestant))
    raw["memory"] = figures
    note = ", ".join(f"{name} {size:.0f}" for name, size in figures.peak_rss_mb.items())
    busy = figures.peak_rss_mb["web"]
    return [
        Row("web process: memory when idle", product.idle_web_mb, "MB", Bar(WEB_IDLE_MB)),
        Row("all processes: cores when idle", product.idle_cores, "cores"),
        Row(f"web process: memory with {sizes.memory_streams} streams", busy, "MB", Bar(WEB_BUSY_MB), note),
    ]
