"""Reading a job's stream: the log for what was, one live reader per process for what is happening now.

`follow` is the only reader; every transport uses it. A follower registers with the live reader first, then reads the
job's own log from the id it names, then takes live events as long as they continue without a gap. Whatever goes wrong
in between (a slow client whose queue overflowed, a lost Redis connection, a capped live stream) shows as a gap, and the
answer to a gap is always the same: read the log again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.jobs.connection import redis_client
from apps.jobs.events import BEGINNING, TERMINAL_TYPES, EventId
from gpu_workers.contract.job_log import (
    JobLog,
    JobState,
    LogEntry,
    artifact_url,
    live_key,
    load_live,
    log_key,
    shard_of,
)

__all__ = ["JobState", "LiveReader", "LogEntry", "artifact_url", "follow_log", "job_log"]

logger = structlog.get_logger(__name__)

QUEUE_MAX = 1000  # events that wait for a slow client before it is left to the log
LOOK_EVERY_S = 5.0  # a quiet follower looks into the log by itself this often
BLOCK_MS = 5000
REDIS_PAUSE_S = 0.3
READ_COUNT = 500
LOG_CONNECTIONS = 8


@cache
def job_log() -> JobLog:
    """This process's blocking log."""
    return JobLog(
        redis_client(),
        shards=settings.AIGC_LIVE_SHARDS,
        cap=settings.AIGC_LOG_CAP,
        ended_ttl_s=settings.AIGC_STREAM_TTL_S,
    )


class Follower:
    """The bounded queue of one reader of one job. It has one timer for its whole life: a timeout for each event would
    cost more than the event."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._entries: list[LogEntry] = []
        self._waiter: asyncio.Future[None] | None = None
        self._silent_since = self._loop.time()
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)

    def put(self, entry: LogEntry) -> None:
        """Add a live event; a reader too slow loses its queue (never its events: the gap sends it to the log)."""
        if len(self._entries) >= QUEUE_MAX:
            self._entries.clear()
        self._entries.append(entry)
        self._wake()

    async def take(self) -> list[LogEntry]:
        """What has come; empty after LOOK_EVERY_S of silence."""
        if not self._entries:
            self._waiter = self._loop.create_future()
            await self._waiter
        self._silent_since = self._loop.time()
        entries, self._entries = self._entries, []
        return entries

    def close(self) -> None:
        """Nobody takes any more."""
        self._timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        silent_s = self._loop.time() - self._silent_since
        if silent_s >= LOOK_EVERY_S:
            self._wake()
            silent_s = 0.0
        self._timer = self._loop.call_later(LOOK_EVERY_S - silent_s, self._look)


class LiveReader:
    """Reads the live streams that have followers here and hands their events out."""

    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = {}
        self._followers_of_shard: dict[int, int] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # A blocking read waits BLOCK_MS; the timeout above it only ends reads on a dead connection.
        options: dict[str, Any] = {
            "socket_timeout": BLOCK_MS / 1000 + 5,
            "socket_connect_timeout": 2,
            "retry": Retry(NoBackoff(), 0),
        }
        self._live = Redis.from_url(
            settings.AIGC_REDIS_URL, max_connections=settings.AIGC_LIVE_SHARDS + 1, **options
        )
        # A page of a log takes far less than a new connection takes: a burst of followers waits its turn.
        self._logs = Redis.from_pool(
            BlockingConnectionPool.from_url(
                settings.AIGC_REDIS_URL, max_connections=LOG_CONNECTIONS, timeout=LOOK_EVERY_S, **options
            )
        )

    @contextmanager
    def following(self, job_id: str) -> Iterator[Follower]:
        """A registered follower; its shard is read while anybody needs it."""
        follower, shard = Follower(), shard_of(job_id, settings.AIGC_LIVE_SHARDS)
        self._followers.setdefault(job_id, set()).add(follower)
        self._followers_of_shard[shard] = self._followers_of_shard.get(shard, 0) + 1
        if shard not in self._tasks:
            self._tasks[shard] = asyncio.create_task(self._read(shard), name=f"live-reader-{shard}")
        try:
            yield follower
        finally:
            follower.close()
            self._followers_of_shard[shard] -= 1
            followers = self._followers[job_id]
            followers.discard(follower)
            if not followers:
                del self._followers[job_id]

    async def read_log(self, job_id: str, after: EventId) -> list[LogEntry]:
        """A page of the job's log after an id."""
        start = f"({after}" if after != BEGINNING else "-"
        rows = await self._logs.xrange(log_key(job_id), min=start, count=READ_COUNT)
        return [LogEntry.read(raw_id, fields) for raw_id, fields in cast(list[Any], rows)]

    async def _read(self, shard: int) -> None:
        """Hand out one shard's events until nobody has followed it for one blocking read."""
        last: bytes | str = "$"
        while True:
            try:
                streams = await self._live.xread({live_key(shard): last}, count=READ_COUNT, block=BLOCK_MS)
            except (RedisError, OSError) as error:
                logger.warning("live_reader_away", shard=shard, error=str(error))
                await asyncio.sleep(REDIS_PAUSE_S)
                continue
            if not streams and not self._followers_of_shard.get(shard):
                del self._tasks[shard]  # no await since the check: a new follower starts a new task
                return
            for last, fields in _entries_of(streams):  # noqa: B007  the last id is where the next read begins
                for job_id, entry in load_live(fields[b"b"], self._followers):
                    for follower in self._followers[job_id]:
                        follower.put(entry)


def _entries_of(streams: Any) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of an XREAD answer, which is a mapping or a list by protocol version."""
    for _, entries in streams.items() if isinstance(streams, dict) else streams:
        for page in entries:
            # RESP3 wraps the entries of a stream in one more list.
            yield from page if page and isinstance(page[0], (list, tuple)) else [page]


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveReader] = WeakKeyDictionary()


def live_reader() -> LiveReader:
    """The reader of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _readers:
        _readers[loop] = LiveReader()
    return _readers[loop]


async def follow_log(job_id: str, after: EventId) -> AsyncIterator[list[LogEntry]]:
    """Batches of the job's events after an id, to the terminal one; an empty batch says that all is quiet.

    Quiet means that nothing came for LOOK_EVERY_S and the log holds nothing more: the caller decides whether the job
    still runs. Redis being away shows as quiet too, and heals by itself.
    """
    reader, last, quiet = live_reader(), after, True
    with reader.following(job_id) as follower:
        while True:
            page = await _read_page(reader, job_id, last)
            if page or quiet:
                yield page
            if page:
                last = page[-1].id
                if page[-1].type in TERMINAL_TYPES:
                    return
                if len(page) == READ_COUNT:
                    continue
            gap = False
            while not gap:
                entries = await follower.take()
                if not entries:
                    break
                batch, gap = _continuing(entries, last)
                if batch:
                    yield batch
                    last = batch[-1].id
                    if batch[-1].type in TERMINAL_TYPES:
                        return
            quiet = not gap


async def _read_page(reader: LiveReader, job_id: str, after: EventId) -> list[LogEntry]:
    try:
        return await reader.read_log(job_id, after)
    except (RedisError, OSError) as error:
        logger.warning("log_unreadable", job=job_id, error=str(error))
        await asyncio.sleep(REDIS_PAUSE_S)
        return []


def _continuing(entries: list[LogEntry], last: EventId) -> tuple[list[LogEntry], bool]:
    """The events that continue `last`, and whether others follow after a gap, so that the log has to be read."""
    batch: list[LogEntry] = []
    for entry in entries:
        if entry.id <= last:
            continue
        if entry.id != EventId(last.attempt, last.number + 1):
            return batch, True
        batch.append(entry)
        last = entry.id
    return batch, False
