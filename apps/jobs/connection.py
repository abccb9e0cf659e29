"""This process's way to Redis."""

from functools import cache

from django.conf import settings
from redis import Redis


@cache
def redis_client() -> Redis:
    """The blocking client; its pool grows to what threads need."""
    return Redis.from_url(
        settings.AIGC_REDIS_URL, max_connections=256, socket_timeout=5, socket_connect_timeout=2
    )
