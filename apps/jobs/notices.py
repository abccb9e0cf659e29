"""Telling a person's open pages that something of theirs has changed elsewhere.

A notice is a hint and nothing is stored of it: it goes over Redis pub/sub to every web process, and from there to the
sockets that watch. From `watching` on a socket misses none; after a gap it comes again, since what changed meanwhile
was told to nobody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from django.db import transaction
from redis.asyncio import Redis
from redis.exceptions import RedisError

from apps.jobs.connection import redis_client

logger = structlog.get_logger(__name__)

CHANNEL = "aigc:notices"
WATCHING = json.dumps({"op": "watching"})
# Notices that wait for a slow socket; more of them would tell it nothing new.
WAITING_MAX = 100
POLL_S = 30.0
REDIS_PAUSE_S = 0.5


def tell(
    *,
    workspace_id: UUID,
    user_id: UUID,
    thing: str,
    thing_id: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Once this is committed, say that the thing is now `data`, or, without, gone or to be read again."""
    notice = json.dumps({"op": "changed", "thing": thing, "id": thing_id, "data": data})
    address = _address(workspace_id, user_id)
    transaction.on_commit(lambda: _publish(f"{address} {notice}"))


def _publish(text: str) -> None:
    try:
        redis_client().publish(CHANNEL, text)
    except RedisError as error:
        logger.warning("notice_lost", error=str(error))


def _address(workspace_id: UUID, user_id: UUID) -> str:
    return f"{workspace_id}/{user_id}"


class NoticeReader:
    """Reads the one channel for all sockets of a process, as long as any of them watches."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Queue[str]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_subscribed = False
        self._redis = Redis.from_url(
            settings.AIGC_REDIS_URL, socket_connect_timeout=2, health_check_interval=int(POLL_S)
        )

    @contextmanager
    def listening(self, *, workspace_id: UUID, user_id: UUID) -> Iterator[asyncio.Queue[str]]:
        """A queue of `watching` and then this person's notices, as the JSON of their frames."""
        address, queue = _address(workspace_id, user_id), asyncio.Queue[str](WAITING_MAX)
        self._listeners.setdefault(address, set()).add(queue)
        if self._is_subscribed:
            queue.put_nowait(WATCHING)
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name="notice-reader")
        try:
            yield queue
        finally:
            self._listeners[address].discard(queue)
            if not self._listeners[address]:
                del self._listeners[address]
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task, self._is_subscribed = None, False

    async def _read(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        message = await channel.get_message(timeout=POLL_S)
                        if message is not None and message["type"] == "subscribe":
                            self._begin()
                        elif message is not None:
                            self._hand_out(message["data"].decode())
            except (RedisError, OSError) as error:
                self._is_subscribed = False
                logger.warning("notice_reader_away", error=str(error))
                await asyncio.sleep(REDIS_PAUSE_S)

    def _begin(self) -> None:
        self._is_subscribed = True
        for queues in self._listeners.values():
            _put(queues, WATCHING)

    def _hand_out(self, text: str) -> None:
        address, _, notice = text.partition(" ")
        _put(self._listeners.get(address, ()), notice)


def _put(queues: Iterable[asyncio.Queue[str]], text: str) -> None:
    for queue in queues:
        if not queue.full():
            queue.put_nowait(text)


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, NoticeReader] = WeakKeyDictionary()


def notice_reader() -> NoticeReader:
    """The reader of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _readers:
        _readers[loop] = NoticeReader()
    return _readers[loop]
