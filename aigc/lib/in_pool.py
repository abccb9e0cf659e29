"""Work that blocks, from async code: in the event loop's thread pool, whose threads keep their connections.

Django's own way (`sync_to_async`, thread-sensitive) gives each request a new thread and with it a new database
connection, and all WebSockets one thread together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


def in_pool(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The function as a coroutine function, run in the pool; connections that are too old are closed around it."""
    return cast("Callable[P, Awaitable[T]]", database_sync_to_async(function, thread_sensitive=False))
