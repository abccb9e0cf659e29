"""Where rows are kept: SQLite by default, PostgreSQL by AIGC_DATABASE_URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ  # type: ignore[import-untyped]  # ships no types

from aigc.lib.env import Environment

BUSY_TIMEOUT_S = 20
# Opening SQLite costs Django some milliseconds; threads of a pool keep theirs.
KEPT_S = 300
# WAL lets readers go on while one process writes; NORMAL loses nothing when a process is killed, only the
# last commits when the machine itself loses power, for a third of the cost of FULL.
SQLITE_PRAGMAS = f"""
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=NORMAL;
    PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000};
"""
ADVICE = "write postgres://USER:PASSWORD@HOST:5432/NAME or sqlite:////PATH."


def database(env: Environment, data_dir: Path) -> dict[str, Any]:
    """The `default` entry of DATABASES."""
    own_file = sqlite(str(data_dir / "db.sqlite3"))
    url = env.text("AIGC_DATABASE_URL")
    if not url:
        return own_file
    # Looked at first: the parser warns of a scheme that it does not know with the password in the warning.
    scheme = urlsplit(url).scheme
    if scheme not in {"postgres", "postgresql", "sqlite"}:
        env.fault(f"AIGC_DATABASE_URL is not usable; {ADVICE}")
        return own_file
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:
        env.fault(f"AIGC_DATABASE_URL is not usable; {ADVICE}")
        return own_file
    if scheme == "sqlite":
        return sqlite(config["NAME"])
    # Under ASGI each request's database work runs in a thread of its own, so a connection kept per thread
    # would be lost with the thread: psycopg's pool is what keeps them, and CONN_MAX_AGE must stay 0 with it.
    pool_size = env.integer("AIGC_DATABASE_POOL", 8, at_least=1, at_most=200)
    options = {**config.get("OPTIONS", {}), "pool": {"min_size": 1, "max_size": pool_size, "timeout": 10}}
    return {**config, "OPTIONS": options, "CONN_MAX_AGE": 0}


def sqlite(path: str) -> dict[str, Any]:
    """SQLite as several processes share it."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": KEPT_S,
        "OPTIONS": {
            "timeout": BUSY_TIMEOUT_S,
            # A transaction that reads and then writes would fail at once where another one wrote in between;
            # IMMEDIATE takes the write lock first and waits for it instead.
            "transaction_mode": "IMMEDIATE",
            "init_command": SQLITE_PRAGMAS,
        },
    }
