"""Counting tries in Redis: at most so many for a name in a window of time."""

from __future__ import annotations

from dataclasses import dataclass

import redis


@dataclass(frozen=True, slots=True)
class Limit:
    """`tries` are allowed in `window_s` seconds, counted from the first."""

    tries: int
    window_s: int

    def wait_s(self, client: redis.Redis, name: str) -> int:
        """Count one try. Returns 0 when it is allowed, else the seconds until the window ends."""
        key = _key(name)
        with client.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=self.window_s, nx=True)
            pipe.incr(key)
            pipe.ttl(key)
            _, count, ttl_s = pipe.execute()
        return 0 if count <= self.tries else max(1, int(ttl_s))


def forget(client: redis.Redis, name: str) -> None:
    """Start the count of a name again."""
    client.delete(_key(name))


def _key(name: str) -> str:
    return f"aigc:limit:{name}"
