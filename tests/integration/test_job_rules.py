"""Cancel, idempotency, limits and rights, against the running product."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tests.client import Client, Frame
from tests.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

ASK = {"messages": [{"role": "user", "content": "Hello."}], "temperature": 0, "max_tokens": 20}
LONG = {**ASK, "max_tokens": 4000}


async def first(client: Client, job_id: str, type_: str) -> Frame:
    """The first event of a type."""
    async for frame in client.events(job_id):
        if frame["type"] == type_:
            return frame
    raise AssertionError(f"no {type_} came")


async def cancel(client: Client, job_id: str) -> Frame:
    """Stop the job; the answer."""
    status, job = await client.call("POST", f"/api/v1/jobs/{job_id}/cancel")
    assert status == 200, job
    return dict(job)


async def test_a_job_cancelled_while_queued_never_starts(ada: Client, stack: Stack) -> None:
    stack.pause("gpu")
    try:
        job_id = await ada.submit("chat", ASK)
        assert (await cancel(ada, job_id))["status"] == "cancelled"
    finally:
        stack.resume("gpu")
    await ada.settled(await ada.submit("chat", ASK))  # the worker has come past the cancelled job's message
    frames = await ada.read_to_end(job_id)
    assert "started" not in [frame["type"] for frame in frames]
    assert frames[-1]["type"] == "cancelled"


@pytest.mark.parametrize(
    ("kind", "params", "phase"),
    [
        ("chat", LONG, "started"),
        ("chat", LONG, "delta"),
        ("image", {"prompt": "a house", "steps": 150}, "progress"),
        ("voice", {"text": "This is one sentence of very many. " * 500, "language": "en"}, "audio"),
    ],
)
async def test_cancel_stops_the_work_and_keeps_what_was_made(
    ada: Client, kind: str, params: Frame, phase: str
) -> None:
    job_id = await ada.submit(kind, params)
    await first(ada, job_id, phase)
    await cancel(ada, job_id)
    job = await ada.settled(job_id, 15)
    assert job["status"] == "cancelled"
    assert (await ada.read_to_end(job_id))[-1]["type"] == "cancelled"
    if phase == "delta":
        assert job["result"]["text"]
    if phase == "audio":
        (kept,) = job["result"]["artifacts"]
        assert 0 < kept["duration_s"] < 500, "some of the 500 sentences were spoken"
        assert kept["words"][0]["text"] == "This"


async def test_cancelling_a_finished_job_changes_nothing(ada: Client) -> None:
    job = await ada.settled(await ada.submit("chat", ASK))
    assert (await cancel(ada, job["id"]))["status"] == "succeeded"
    assert await ada.job(job["id"]) == job


async def test_twenty_parallel_posts_with_one_key_make_one_job(ada: Client) -> None:
    key = uuid.uuid4().hex
    ids = await asyncio.gather(*(ada.submit("chat", ASK, key=key) for _ in range(20)))
    assert len(set(ids)) == 1
    status, error = await ada.call(
        "POST",
        "/api/v1/jobs",
        json={"kind": "chat", "input": {**ASK, "max_tokens": 21}},
        headers={"Idempotency-Key": key},
    )
    assert (status, error["error"]["code"]) == (409, "conflict")


async def test_one_person_never_learns_of_anothers_job(
    ada: Client, grace: Client, stranger: Client, stack: Stack
) -> None:
    job = await ada.settled(await ada.submit("voice", {"text": "Secret.", "language": "en"}))
    artifact = job["result"]["artifacts"][0]["url"]
    paths = [
        ("GET", f"/api/v1/jobs/{job['id']}"),
        ("GET", f"/api/v1/jobs/{job['id']}/events"),
        ("POST", f"/api/v1/jobs/{job['id']}/cancel"),
        ("GET", artifact),
    ]
    for method, path in paths:
        status, theirs = await grace.call(method, path)
        none_status, none = await grace.call(method, path.replace(job["id"], str(uuid.uuid4())))
        assert (status, theirs["error"]["code"]) == (none_status, none["error"]["code"]) == (404, "not_found")
        status, _ = await stranger.call(method, path)
        assert status == 401
    status, listed = await grace.call("GET", "/api/v1/jobs")
    assert job["id"] not in [other["id"] for other in listed["results"]]
    async with grace.socket() as socket:
        for op in ("follow", "cancel"):
            await socket.send(op=op, job=job["id"], ref=op)
            assert (await socket.receive())["code"] == "not_found"


async def test_bad_input_names_its_field_and_limit(ada: Client) -> None:
    cases: list[tuple[Frame, str]] = [
        ({"kind": "chat", "input": {}}, "input.messages"),
        ({"kind": "chat", "input": {**ASK, "temperature": 3}}, "input.temperature"),
        ({"kind": "chat", "input": {**ASK, "surprise": 1}}, "input.surprise"),
        ({"kind": "image", "input": {"prompt": "x", "width": 33}}, "input.width"),
        ({"kind": "image", "input": {"prompt": "x", "count": 9}}, "input.count"),
        ({"kind": "voice", "input": {"text": "x" * 50_001}}, "input.text"),
        ({"kind": "film", "input": {}}, "kind"),
        ({"input": {}}, "kind"),
    ]
    for body, field in cases:
        status, error = await ada.call("POST", "/api/v1/jobs", json=body)
        assert (status, error["error"].get("field")) == (400, field), error
        assert error["error"]["message"]
        assert error["error"]["request_id"]


async def test_what_an_engine_refuses_fails_with_a_reason_and_harms_no_worker(ada: Client) -> None:
    refused: list[tuple[str, Frame]] = [
        ("chat", {**ASK, "messages": [{"role": "user", "content": "word " * 50_000}]}),
        ("image", {"prompt": "x", "scheduler": "no-such"}),
        ("voice", {"ssml": "<speak><unknown/></speak>"}),
        ("voice", {"text": "x", "language": "klingon-on-mars"}),
        ("voice", {"ssml": '<!DOCTYPE a [<!ENTITY b "c">]><speak>&b;</speak>'}),
    ]
    for kind, params in refused:
        job = await ada.settled(await ada.submit(kind, params))
        assert job["status"] == "failed", (kind, job)
        assert job["error"]["code"] not in ("internal_error", "worker_lost")
        assert len(job["error"]["message"]) > 10
    assert (await ada.settled(await ada.submit("chat", ASK)))["status"] == "succeeded"


async def test_waiting_jobs_hear_their_place_and_when_it_changes(ada: Client, stack: Stack) -> None:
    stack.pause("gpu")
    try:
        ids = [await ada.submit("voice", {"text": "Wait.", "language": "en"}) for _ in range(20)]
        place = (await ada.job(ids[-1]))["position"]
        assert place >= 1
    finally:
        stack.resume("gpu")
    for job_id in ids:
        assert (await ada.settled(job_id))["status"] == "succeeded"
    first_event = (await ada.read_to_end(ids[-1]))[0]
    assert (first_event["type"], first_event["data"]["position"]) == ("queued", place)
