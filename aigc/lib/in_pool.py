"""Database work from async code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


def in_pool(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The function as a coroutine function, run in the event loop's thread pool.

    Not thread-sensitive, as Django's own default is: that would give each request a thread and each thread a new
    connection, and all WebSockets one thread together. The pool's threads keep their connections.
    """
    return cast("Callable[P, Awaitable[T]]", database_sync_to_async(function, thread_sensitive=False))
