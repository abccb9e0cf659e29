"""`jobs.notices`: what is told on commit reaches the sockets of that person that watch, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from redis import Redis

from apps.catalog.services import seed_catalog
from apps.jobs import notices
from apps.jobs.notices import CHANNEL, NoticeReader, tell
from deploy.local.redis_server import RedisServer
from tests.unit.accounts_people import make_user

WORKSPACE, ADA, GRACE = (uuid.UUID(int=number) for number in (1, 2, 3))


def _say(number: int, user: uuid.UUID = ADA) -> None:
    notices._publish(f"{WORKSPACE}/{user} {json.dumps({'op': 'changed', 'id': str(number)})}")


async def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited five seconds for nothing")


async def _until_watching(*queues: asyncio.Queue[str]) -> None:
    for queue in queues:
        assert json.loads(await asyncio.wait_for(queue.get(), 5)) == {"op": "watching"}


async def _until_subscribed(redis: Redis, readers: int = 1) -> None:
    await _until(lambda: redis.pubsub_numsub(CHANNEL)[0][1] == readers)


async def _next_id(queue: asyncio.Queue[str]) -> str:
    return str(json.loads(await asyncio.wait_for(queue.get(), 5))["id"])


async def test_each_watching_socket_of_the_person_hears_it_and_no_other(run_redis: RedisServer) -> None:
    reader, redis = NoticeReader(), Redis.from_url(run_redis.url)
    with (
        reader.listening(workspace_id=WORKSPACE, user_id=ADA) as first,
        reader.listening(workspace_id=WORKSPACE, user_id=ADA) as second,
        reader.listening(workspace_id=WORKSPACE, user_id=GRACE) as other,
    ):
        await _until_watching(first, second, other)
        with reader.listening(workspace_id=WORKSPACE, user_id=ADA) as late:
            await _until_watching(late)
        _say(1)
        assert [await _next_id(first), await _next_id(second)] == ["1", "1"]
        assert other.empty()
    await _until_subscribed(redis, readers=0)
    with reader.listening(workspace_id=WORKSPACE, user_id=ADA) as again:
        await _until_watching(again)
        _say(2)
        assert await _next_id(again) == "2"


async def test_a_lost_connection_heals_by_itself_and_says_that_something_may_be_missing(
    run_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "REDIS_PAUSE_S", 0.01)
    reader, redis = NoticeReader(), Redis.from_url(run_redis.url)
    with reader.listening(workspace_id=WORKSPACE, user_id=ADA) as queue:
        await _until_watching(queue)
        assert redis.client_kill_filter(_type="pubsub") == 1
        await _until_watching(queue)
        _say(3)
        assert await _next_id(queue) == "3"


@pytest.mark.usefixtures("run_redis")
async def test_a_socket_that_takes_nothing_costs_no_more_than_its_queue() -> None:
    reader = NoticeReader()
    with reader.listening(workspace_id=WORKSPACE, user_id=ADA) as queue:
        await _until_watching(queue)
        for number in range(notices.WAITING_MAX + 20):
            _say(number)
        await _until(queue.full)
        assert await _next_id(queue) == "0"


@pytest.mark.django_db
def test_nothing_is_told_of_what_is_not_committed(
    run_redis: RedisServer, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    told = Redis.from_url(run_redis.url).pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis has no types for it
    told.subscribe(CHANNEL)
    told.get_message(timeout=1)
    with django_capture_on_commit_callbacks() as callbacks:
        tell(workspace_id=WORKSPACE, user_id=ADA, thing="folders")
    assert told.get_message(timeout=0.1) is None
    callbacks[0]()
    message = told.get_message(timeout=5)
    assert message is not None
    assert message["data"].decode().startswith(f"{WORKSPACE}/{ADA} ")


@pytest.mark.django_db
@pytest.mark.usefixtures("run_redis")
def test_every_change_of_a_conversation_its_folder_and_an_assistant_is_told(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    seed_catalog()
    client.force_login(make_user("ada"))
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(notices, "_publish", lambda text: told.append(json.loads(text.partition(" ")[2])))

    def call(method: str, path: str, body: Any = None) -> Any:
        told.clear()
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.generic(method, f"/api/v1/{path}", json.dumps(body or {}), "application/json")
        assert answer.status_code < 300, answer.content
        return answer.json() if answer.content else None

    made = call("POST", "conversations", {"content": "Hello"})
    here = f"conversations/{made['id']}"
    row = {name: value for name, value in made.items() if name != "messages"}
    assert told == [{"op": "changed", "thing": "conversation", "id": made["id"], "data": row}]
    call("PATCH", here, {"title": "Greeting"})
    assert [each["data"]["title"] for each in told] == ["Greeting"]
    call("DELETE", here)
    assert [(each["id"], each["data"]) for each in told] == [(made["id"], None)]
    call("POST", f"{here}/restore")
    assert [each["data"]["title"] for each in told] == ["Greeting"]
    call("POST", f"{here}/messages/{made['messages'][1]['id']}/again")
    assert [each["thing"] for each in told] == ["conversation"]
    answer = made["messages"][1]["id"]
    call("PATCH", f"{here}/messages/{answer}", {"rating": -1, "rating_reason": "Too long"})
    rating = {"conversation": made["id"], "rating": -1, "rating_reason": "Too long"}
    assert told == [{"op": "changed", "thing": "rating", "id": answer, "data": rating}]
    call("POST", "conversations/import", {"messages": []})
    assert [each["thing"] for each in told] == ["conversation"]

    for shelf in ("folders", "assistants"):
        kept = call("POST", shelf, {"name": "One"})
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore")):
            call(method, f"{shelf}/{kept['id']}{path}", {"name": "Two"})
            assert told == [{"op": "changed", "thing": shelf, "id": "", "data": None}]
