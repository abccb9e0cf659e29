"""The web side's plain Redis connection, for counters and small facts. Streams have their own clients."""

from __future__ import annotations

from functools import lru_cache

import redis
from django.conf import settings

TIMEOUT_S = 2.0


def redis_client() -> redis.Redis:
    """A client of AIGC_REDIS_URL that answers in strings and gives up after two seconds; safe to share."""
    return _client(settings.AIGC_REDIS_URL)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        max_connections=32,
    )
