"""The gallery over the running product: each finished image is a picture, once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import io
import uuid
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.client import Client
from tests.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

EQUAL_FILES = Path(__file__).with_name("equal_files.py")
URL = "/api/v1/pictures"


async def get(client: Client, path: str, status: int = 200) -> Any:
    answered, body = await client.call("GET", path)
    assert answered == status, body
    return body


async def pictures_of(client: Client, prompt: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await get(client, f"{URL}?search={prompt}"))["results"]
    return found


async def seen(client: Client, job_id: str, type_: str) -> None:
    """Until such an event has come."""
    async for frame in client.events(job_id):
        if frame["type"] == type_:
            return


def made(job: dict[str, Any]) -> list[str]:
    """The artifacts of a job, newest first."""
    return [str(uuid.UUID(artifact["id"])) for artifact in job["result"]["artifacts"]][::-1]


@pytest.mark.parametrize("killed", [("gpu",), ("cpu",), ("gpu", "cpu", "web")])
async def test_each_artifact_is_one_picture_whatever_is_killed_while_it_is_painted(
    stack: Stack, ada: Client, killed: tuple[str, ...]
) -> None:
    prompt = uuid.uuid4().hex
    job_id = await ada.submit("image", {"prompt": prompt, "count": 2, "seed": 5, "steps": 12})
    await seen(ada, job_id, "progress")
    for name in killed:
        stack.kill(name)
    for name in killed:
        stack.restart(name)
    job = await ada.settled(job_id, 180)
    assert job["status"] == "succeeded", job
    pictures = await pictures_of(ada, prompt)
    assert [picture["id"] for picture in pictures] == made(job)
    assert [picture["seed"] for picture in pictures] == [6, 5]


async def test_a_picture_of_a_real_worker_says_what_was_used_and_has_a_thumbnail(ada: Client) -> None:
    prompt = uuid.uuid4().hex
    job_id = await ada.submit("image", {"prompt": prompt, "steps": 2})
    (id_,) = made(await ada.settled(job_id, 180))
    picture = await get(ada, f"{URL}/{id_}")
    assert picture["parameters"]["steps"] == 2
    assert picture["parameters"]["scheduler"]
    assert picture["input"]["seed"] == picture["parameters"]["seed"] == picture["seed"]
    assert (picture["width"], picture["height"]) == (
        picture["parameters"]["width"],
        picture["parameters"]["height"],
    )
    again = await ada.submit("image", picture["input"])
    (other,) = made(await ada.settled(again, 180))
    assert await get(ada, f"{URL}/{other}/file") == await get(ada, f"{URL}/{id_}/file")
    thumbnails = await asyncio.gather(*(get(ada, f"{URL}/{id_}/thumbnail") for _ in range(20)))
    assert len(set(thumbnails)) == 1
    assert Image.open(io.BytesIO(thumbnails[0])).format == "WEBP"


async def test_nobody_else_sees_them(ada: Client, grace: Client) -> None:
    prompt = uuid.uuid4().hex
    job_id = await ada.submit("image", {"prompt": prompt, "steps": 1})
    (id_,) = made(await ada.settled(job_id, 180))
    assert len(await pictures_of(ada, prompt)) == 1
    assert await pictures_of(grace, prompt) == []
    for path in ("", "/file", "/thumbnail"):
        await get(grace, f"{URL}/{id_}{path}", 404)


def test_a_file_given_while_its_equal_is_erased_is_there(stack: Stack) -> None:
    assert stack.manage("shell", "-c", EQUAL_FILES.read_text()).split()[-2:] == ["lost", "0"]
