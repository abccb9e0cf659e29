"""Conversations over the running product: an answer ends in its conversation, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import base64
import time
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image

from benchmarks.fake_upstream import Script, Settings, running
from tests.client import Client, fold_frames
from tests.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

URL = "/api/v1/conversations"
START = {"content": "Count for me, please.", "params": {"temperature": 0, "max_tokens": 600}}


async def call(client: Client, method: str, path: str, status: int, **options: Any) -> Any:
    answered, body = await client.call(method, path, **options)
    assert answered == status, body
    return body


async def ended(client: Client, conversation: str, timeout_s: float = 60) -> dict[str, Any]:
    """The conversation, once its last answer is kept."""
    deadline = time.monotonic() + timeout_s
    while True:
        found: dict[str, Any] = await call(client, "GET", f"{URL}/{conversation}", 200)
        if found["messages"][-1]["state"] != "running":
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def test_killing_the_gpu_worker_and_the_web_process_leaves_the_whole_answer_in_the_conversation(
    stack: Stack, ada: Client
) -> None:
    started = await call(ada, "POST", URL, 201, json=START)
    question, answer = started["messages"]
    async for frame in ada.events(answer["job"]):
        if frame["type"] == "delta":
            break
    stack.kill("gpu")
    stack.kill("web")
    stack.restart("gpu")
    stack.restart("web")
    kept = (await ended(ada, started["id"]))["messages"]
    job = await ada.settled(answer["job"])
    assert [message["id"] for message in kept] == [question["id"], answer["id"]]
    assert kept[1]["state"] == "done"
    assert kept[1]["content"] == job["result"]["text"]
    assert kept[1]["reasoning"] == job["result"]["reasoning"]
    assert kept[1]["content"] + kept[1]["reasoning"]
    assert fold_frames(await ada.read_to_end(answer["job"])).text == kept[1]["content"]


async def test_a_deleted_conversation_stops_its_answer(stack: Stack, ada: Client) -> None:
    params = {"temperature": 0, "max_tokens": 100_000}
    started = await call(ada, "POST", URL, 201, json={**START, "params": params})
    job_id = started["messages"][1]["job"]
    async for frame in ada.events(job_id):
        if frame["type"] == "delta":
            break
    await call(ada, "DELETE", f"{URL}/{started['id']}", 204)
    assert (await ada.settled(job_id, 15))["status"] in ("cancelled", "succeeded")
    await call(ada, "GET", f"{URL}/{started['id']}", 404)
    restored = await call(ada, "POST", f"{URL}/{started['id']}/restore", 200)
    assert restored["id"] == started["id"]
    assert (await ended(ada, started["id"]))["messages"][1]["state"] in ("stopped", "done")


async def test_ten_questions_at_once_under_one_key_make_one_conversation(ada: Client, grace: Client) -> None:
    headers = {"Idempotency-Key": "ten at once"}
    made = await asyncio.gather(
        *(call(ada, "POST", URL, 201, json=START, headers=headers) for _ in range(10))
    )
    assert len({conversation["id"] for conversation in made}) == 1
    assert len({conversation["messages"][1]["id"] for conversation in made}) == 1
    other = await call(grace, "POST", URL, 201, json=START, headers=headers)
    assert other["id"] != made[0]["id"]
    await call(grace, "GET", f"{URL}/{made[0]['id']}", 404)


EYES = """
from apps.catalog.models import Model
Model.objects.create(pk="eyes", name="Eyes", medium="chat", engine="openai", source={url!r}, enabled=True,
                     options={{"model": "m", "vision": True}})
"""

ERASE_NOW = """
from datetime import timedelta
from apps.catalog.models import Model
from apps.chat import services
services.UNDO_TIME = timedelta()
services.erase_deleted()
Model.objects.filter(pk="eyes").delete()
"""


async def test_a_picture_in_a_question_reaches_the_model_and_goes_with_the_conversation(
    stack: Stack, ada: Client, grace: Client
) -> None:
    file = BytesIO()
    Image.new("RGB", (64, 32), "teal").save(file, "PNG")
    form = aiohttp.FormData()
    form.add_field("file", file.getvalue(), filename="sea.png", content_type="image/png")
    with running(Settings(Script(rate=1000.0, tokens=5))) as upstream:
        upstream.keeps_bodies = True
        await asyncio.to_thread(stack.manage, "shell", "-c", EYES.format(url=upstream.url))
        upload = (await call(ada, "POST", "/api/v1/uploads", 201, data=form))["id"]
        asked = {"content": "What is this?", "model": "eyes", "images": [upload]}
        await call(grace, "POST", URL, 404, json=asked)
        started = await call(ada, "POST", URL, 201, json=asked)
        kept = await ended(ada, started["id"])
    assert kept["messages"][1]["state"] == "done"
    assert kept["messages"][0]["images"] == [upload]
    code = base64.b64encode(file.getvalue()).decode()
    assert upstream.bodies[0]["messages"][-1]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{code}"}},
    ]
    assert await call(ada, "GET", f"/api/v1/uploads/{upload}/file", 200) == file.getvalue()
    await call(ada, "DELETE", f"{URL}/{started['id']}", 204)
    await asyncio.to_thread(stack.manage, "shell", "-c", ERASE_NOW)
    await call(ada, "GET", f"/api/v1/uploads/{upload}/file", 404)
