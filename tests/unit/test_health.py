"""`/healthz` and `/readyz`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from aigc import health
from aigc.lib.redis_client import redis_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No test inherits that the database was found migrated."""
    health._check_migrated.cache_clear()
    yield
    health._check_migrated.cache_clear()


def heartbeat(name: str, *media: str, draining: bool = False) -> None:
    """A gpu worker says that it lives."""
    facts = {
        "name": name, "pid": 1, "media": media, "slots": 4, "busy": 0, "draining": draining,
        "models": [], "memory_bytes": 0, "gpus": [], "counters": {},
    }  # fmt: skip
    redis_client().set(f"aigc:worker:{name}", json.dumps(facts), ex=10)
    redis_client().sadd("aigc:workers", name)


def missing(client: Client) -> list[str]:
    """What `/readyz` misses."""
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer["Retry-After"]
    body = answer.json()
    assert body["error"]["code"] == "unavailable"
    names: list[str] = body["missing"]
    assert all(name in body["error"]["message"] for name in names)
    return names


def test_alive_asks_nobody(
    client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.AIGC_REDIS_URL = "redis://127.0.0.1:1/0"
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "alive"}


def test_ready_needs_a_live_worker_of_every_medium(client: Client) -> None:
    assert missing(client) == ["workers.chat", "workers.image", "workers.voice"]
    heartbeat("one", "chat", "voice")
    assert missing(client) == ["workers.image"]
    heartbeat("two", "image")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "missing": []})


def test_a_worker_that_is_going_away_does_not_count(client: Client) -> None:
    heartbeat("one", "chat", "image", "voice", draining=True)
    assert missing(client) == ["workers.chat", "workers.image", "workers.voice"]


def test_a_worker_that_died_is_missing_again(client: Client) -> None:
    heartbeat("one", "chat", "image", "voice")
    redis_client().delete("aigc:worker:one")  # what its time to live does
    assert missing(client) == ["workers.chat", "workers.image", "workers.voice"]


def test_a_migration_that_is_not_applied_is_named(client: Client) -> None:
    heartbeat("one", "chat", "image", "voice")
    recorder = MigrationRecorder(connection)
    newest = recorder.migration_qs.filter(app="catalog").latest("name")
    newest.delete()
    assert missing(client) == ["migrations"]
    recorder.record_applied("catalog", newest.name)
    assert client.get("/readyz").status_code == 200


def test_a_database_that_does_not_answer_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused")

    heartbeat("one", "chat", "image", "voice")
    monkeypatch.setattr(connection, "cursor", refuse)
    assert missing(client) == ["database"]
