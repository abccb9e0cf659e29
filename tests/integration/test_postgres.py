"""The same product on PostgreSQL, as in production."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest

from tests.client import Client, fold_frames
from tests.stack import Stack

EQUAL_FILES = Path(__file__).with_name("equal_files.py")
SERVER = os.environ.get("AIGC_TEST_POSTGRES_URL", "")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not SERVER, reason="AIGC_TEST_POSTGRES_URL names no PostgreSQL server"),
]

SPEAK = {"text": "One sentence. Another one.", "language": "en"}


@pytest.fixture(scope="module")
def postgres_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    name = f"aigc_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = SERVER.rsplit("/", 1)[0] + f"/{name}"
    stack = Stack(tmp_path_factory.mktemp("postgres"), {"AIGC_DATABASE_URL": url})
    try:
        stack.start_cpu()
        stack.start_beat()
        stack.start_gpu()
        stack.start_web()
        stack.wait_ready()
        yield stack
    finally:
        stack.stop()
        with psycopg.connect(SERVER, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def client(postgres_stack: Stack, http: aiohttp.ClientSession) -> Client:
    return Client(http, postgres_stack.url(), postgres_stack.keys["ada"])


async def test_a_job_runs_and_its_events_fold_to_what_was_stored(client: Client) -> None:
    job_id = await client.submit("voice", SPEAK)
    snapshot = fold_frames(await client.read_to_end(job_id))
    job = await client.settled(job_id)
    assert [artifact.as_json() for artifact in snapshot.artifacts] == job["result"]["artifacts"]


async def test_parallel_posts_with_one_key_make_one_job(client: Client) -> None:
    key = uuid.uuid4().hex
    assert len(set(await asyncio.gather(*(client.submit("voice", SPEAK, key=key) for _ in range(20))))) == 1


async def test_jobs_of_a_killed_worker_end_once(client: Client, postgres_stack: Stack) -> None:
    jobs = [await client.submit("voice", {**SPEAK, "text": SPEAK["text"] * 100}) for _ in range(4)]
    await asyncio.sleep(0.5)
    postgres_stack.kill("gpu")
    postgres_stack.restart("gpu")
    for job_id in jobs:
        assert (await client.settled(job_id, 60))["status"] == "succeeded"
        ends = [frame["type"] for frame in await client.read_to_end(job_id)]
        assert ends.count("finished") == 1


async def test_conversations_are_kept_listed_and_found(client: Client) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    start = {"content": "A question about tea", "params": {"max_tokens": 5}}
    url = "/api/v1/conversations"
    made = await asyncio.gather(*(client.call("POST", url, json=start, headers=key) for _ in range(10)))
    assert {status for status, _ in made} == {201}
    assert len({conversation["id"] for _, conversation in made}) == 1
    await client.settled(made[0][1]["messages"][1]["job"])
    _, second = await client.call("POST", url, json={**start, "content": "Another one"})
    await client.call("PATCH", f"{url}/{made[0][1]['id']}", json={"pinned": True, "title": "Pinned"})
    await client.settled(second["messages"][1]["job"])
    _, page = await client.call("GET", f"{url}?limit=1")
    assert [found["title"] for found in page["results"]] == ["Pinned"]
    _, found = await client.call("GET", f"{url}?search=TEA")
    assert [one["id"] for one in found["results"]] == [made[0][1]["id"]]


async def test_pictures_are_kept_found_filed_and_deleted(client: Client) -> None:
    url = "/api/v1/pictures"
    job_id = await client.submit("image", {"prompt": "A red HOUSE, 雪山", "count": 2, "steps": 1})
    await client.settled(job_id, 120)
    _, found = await client.call("GET", f"{url}?search=house%20雪山&favourite=false&limit=1")
    (newest,) = found["results"]
    assert found["next"]
    _, board = await client.call("POST", "/api/v1/boards", json={"name": "Houses"})
    again, _ = await client.call("POST", "/api/v1/boards", json={"name": "Houses"})
    assert again == 409
    change = {"pictures": [newest["id"]], "board": board["id"], "favourite": True}
    assert await client.call("PATCH", url, json=change) == (200, {"changed": 1})
    _, counts = await client.call("GET", f"{url}/counts?board={board['id']}")
    assert (counts["found"], counts["all"], counts["favourites"], counts["unfiled"]) == (1, 2, 1, 1)
    _, boards = await client.call("GET", "/api/v1/boards")
    assert [(one["count"], one["cover"]) for one in boards["results"]] == [(1, newest["thumbnail"])]
    one = {"pictures": [newest["id"]]}
    assert await client.call("POST", f"{url}/delete", json=one) == (200, {"changed": 1})
    assert (await client.call("GET", newest["file"]))[0] == 404
    assert await client.call("POST", f"{url}/restore", json=one) == (200, {"changed": 1})
    assert (await client.call("GET", newest["thumbnail"]))[0] == 200


def test_a_file_given_while_its_equal_is_erased_is_there(postgres_stack: Stack) -> None:
    assert postgres_stack.manage("shell", "-c", EQUAL_FILES.read_text()).split()[-2:] == ["lost", "0"]
