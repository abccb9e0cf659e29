"""Transactions that write, in an order that suits the database."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Taken again by what follows a commit in the same thread, if that writes, too.
_turn = threading.RLock()


@contextmanager
def write_transaction() -> Iterator[None]:
    """An atomic block that writes. On SQLite the threads of a process take turns.

    SQLite has one writer, and who finds it busy sleeps in steps that grow to 100 ms: a burst of 100 threads then takes
    seconds for what takes 200 ms in turn. A lock wakes the next one at once. Register `on_commit` after the block, so
    that what follows the commit does not hold the turn.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _turn, transaction.atomic():
        yield


def take_turn(name: str) -> None:
    """Wait until nobody else has the turn of this name, and keep it until the transaction ends.

    For what no row can be locked for. On SQLite the transaction itself is the turn: there is one writer.
    """
    if connection.vendor == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
