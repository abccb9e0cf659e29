"""`/api/v1/pictures`: what image jobs make, once each, in the gallery of the one who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.catalog.services import seed_catalog
from apps.image.models import Picture
from apps.jobs.models import Job
from apps.jobs.services import settle
from deploy.local.redis_server import RedisServer
from gpu_workers.contract.events import Cancelled, Failed
from tests.unit.accounts_people import make_user
from tests.unit.painter import Painter, painting, picture_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/pictures"


@pytest.fixture
def painter(run_redis: RedisServer) -> Iterator[Painter]:
    with painting(run_redis) as painter:
        yield painter


@pytest.fixture
def ada(client: Client) -> User:
    seed_catalog()
    user = make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def grace() -> Client:
    """Somebody else, of another workspace."""
    other = Client()
    other.force_login(make_user("grace"))
    return other


def submit(client: Client, prompt: str = "a red house", **more: Any) -> str:
    body = {"kind": "image", "input": {"prompt": prompt, **more}}
    answer = client.post("/api/v1/jobs", body, content_type="application/json")
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


def paint(client: Client, painter: Painter, prompt: str = "a red house", *, count: int = 1) -> list[str]:
    """The pictures of a job that has ended."""
    files = [picture_bytes(7 + number, prompt=prompt) for number in range(count)]
    return painter.paint(submit(client, prompt, count=count), files)


def get(client: Client, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = client.get(path, query)
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def file_of(client: Client, path: str, **query: str) -> bytes:
    """The whole file, which comes in chunks."""
    answer = cast(Any, client.get(path, query))
    assert answer.status_code == 200, answer.content

    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return asyncio.run(read())


def listed(client: Client, **query: Any) -> list[str]:
    return [found["id"] for found in get(client, URL, **query)["results"]]


# --- keeping


@pytest.mark.usefixtures("ada")
def test_each_picture_of_a_job_is_in_the_gallery_once_and_says_how_it_was_made(
    client: Client, painter: Painter
) -> None:
    job = submit(client, "a red house", count=2, width=64, height=48)
    ids = painter.paint(job, [picture_bytes(7), picture_bytes(8)])
    settle(job)
    assert listed(client) == ids[::-1]
    second = get(client, f"{URL}/{ids[1]}")
    assert (second["job"], second["model"], second["seed"]) == (job, "demo-image", 8)
    assert second["input"] == {
        "prompt": "a red house",
        "negative_prompt": "",
        "count": 2,
        "width": 64,
        "height": 48,
        "seed": 8,
    }
    assert second["parameters"]["steps"] == 8
    assert (second["width"], second["height"]) == (64, 48)
    assert file_of(client, second["file"]) == picture_bytes(8)


@pytest.mark.usefixtures("ada")
def test_what_its_input_says_can_be_asked_again_as_it_is(client: Client, painter: Painter) -> None:
    (picture,) = paint(client, painter)
    asked = get(client, f"{URL}/{picture}")["input"]
    again = submit(client, **asked)
    assert Job.objects.get(pk=again).input == asked


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("end", [Cancelled(), Failed("out_of_memory", "Too large.", retryable=True)])
def test_what_was_painted_before_the_job_was_cut_short_is_kept(
    client: Client, painter: Painter, end: Cancelled | Failed
) -> None:
    ids = painter.paint(submit(client, count=4), [picture_bytes(7)], end)
    assert listed(client) == ids


@pytest.mark.usefixtures("ada")
def test_a_job_that_the_product_asked_for_itself_leaves_nothing_in_the_gallery(
    client: Client, painter: Painter
) -> None:
    job = submit(client)
    Job.objects.update(purpose="test")
    painter.paint(job, [picture_bytes(7)])
    assert listed(client) == []


@pytest.mark.usefixtures("ada")
def test_a_file_that_is_no_picture_does_not_keep_its_job_from_ending(
    client: Client, painter: Painter
) -> None:
    job = submit(client)
    painter.paint(job, [b"no picture", picture_bytes(7)])
    assert Job.objects.get(pk=job).status == "succeeded"
    assert Picture.objects.count() == 1


# --- whose they are


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("path", ["", "/file"])
def test_nobody_else_finds_it(client: Client, grace: Client, painter: Painter, path: str) -> None:
    (picture,) = paint(client, painter)
    get(grace, f"{URL}/{picture}{path}", status=404)
    assert listed(grace) == []
    assert Client().get(f"{URL}/{picture}{path}").status_code == 401
