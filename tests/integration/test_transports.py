"""One stream, whatever carries it: REST, SSE and WebSocket give the same, from any id, through any web process."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import aiohttp
import pytest
from redis import Redis

from tests.client import Client, Frame, fold_frames
from tests.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

ASK = {"messages": [{"role": "user", "content": "Tell me a story."}], "temperature": 0, "max_tokens": 80}
ENDS = ("finished", "failed", "cancelled", "blocked")


@pytest.fixture
def second_web(stack: Stack) -> str:
    """The base URL of another web process."""
    return stack.url("web2") if "web2" in stack.ports else stack.start_web("web2")


async def test_sse_and_websocket_and_the_job_say_the_same(ada: Client) -> None:
    job_id = await ada.submit("chat", ASK)
    async with ada.socket() as socket:
        await socket.send(op="follow", job=job_id)
        by_socket = await socket.read_to_end(job_id)
    by_sse = await ada.read_to_end(job_id)
    job = await ada.settled(job_id)
    assert fold_frames(by_socket).text == fold_frames(by_sse).text == job["result"]["text"] != ""
    assert [(f["id"], f["type"], f["data"]) for f in by_sse] == [
        (f["id"], f["type"], f["data"]) for f in by_socket
    ]


async def test_deltas_in_short_are_the_same_events_in_a_quarter_of_the_bytes(ada: Client) -> None:
    jobs = [await ada.submit("chat", ASK), await ada.submit("chat", {**ASK, "max_tokens": 30})]
    async with ada.socket() as socket:
        for number, job_id in enumerate(jobs):
            await socket.send(op="follow", job=job_id, **{"as": number})
        came: dict[str, list[Frame]] = {job_id: [] for job_id in jobs}
        while not all(frames and frames[-1]["type"] in ENDS for frames in came.values()):
            frame = await socket.receive()
            came[frame["job"]].append(frame)
    for number, job_id in enumerate(jobs):
        assert [(f["id"], f["type"], f["data"]) for f in came[job_id]] == [
            (f["id"], f["type"], f["data"]) for f in await ada.read_to_end(job_id)
        ]
        assert all(("as" in f) == (f["type"] == "delta") for f in came[job_id])
        assert {f["as"] for f in came[job_id] if "as" in f} == {number}


async def test_after_any_id_and_from_another_web_process_the_rest_is_the_same(
    ada: Client, second_web: str, http: aiohttp.ClientSession, stack: Stack
) -> None:
    job_id = await ada.submit("chat", ASK)
    frames = await ada.read_to_end(job_id)
    stored = await ada.settled(job_id)
    elsewhere = Client(http, second_web, stack.keys["ada"])
    for cut in range(0, len(frames), 7):
        rest = await elsewhere.read_to_end(job_id, after=frames[cut]["id"])
        assert fold_frames(frames[: cut + 1] + rest).text == stored["result"]["text"]
    assert await elsewhere.read_to_end(job_id, after=frames[-1]["id"]) == []


async def test_readers_that_join_while_it_streams_all_see_the_whole(
    ada: Client, second_web: str, http: aiohttp.ClientSession, stack: Stack
) -> None:
    job_id = await ada.submit("chat", {**ASK, "max_tokens": 400})
    elsewhere = Client(http, second_web, stack.keys["ada"])

    async def late(client: Client, delay_s: float) -> str:
        await asyncio.sleep(delay_s)
        return fold_frames(await client.read_to_end(job_id)).text

    texts = await asyncio.gather(*(late(client, n * 0.15) for n in range(8) for client in (ada, elsewhere)))
    assert set(texts) == {(await ada.settled(job_id))["result"]["text"]}


async def test_the_stored_result_answers_once_the_stream_has_expired(ada: Client, stack: Stack) -> None:
    job_id = await ada.submit("chat", ASK)
    frames = await ada.read_to_end(job_id)
    job = await ada.settled(job_id)
    client = Redis.from_url(stack.redis.url)
    assert client.delete(f"aigc:{{{job_id}}}:log", f"aigc:{{{job_id}}}:state") == 2
    fresh = fold_frames(await ada.read_to_end(job_id))
    back = fold_frames(frames[:5] + await ada.read_to_end(job_id, after=frames[4]["id"]))
    for snapshot in (fresh, back):
        assert snapshot.text == job["result"]["text"]
        assert snapshot.usage == job["result"]["usage"]
        assert snapshot.status == "succeeded"


async def test_the_fold_of_the_events_is_the_job_as_it_reads(ada: Client) -> None:
    for kind, params in (
        ("chat", ASK),
        ("image", {"prompt": "a blue circle", "steps": 3, "seed": 1}),
        ("voice", {"text": "One. Two.", "language": "en"}),
    ):
        job_id = await ada.submit(kind, params)
        snapshot = fold_frames(await ada.read_to_end(job_id))
        job = await ada.settled(job_id)
        assert snapshot.status == job["status"] == "succeeded"
        assert snapshot.usage == job["result"]["usage"]
        assert snapshot.model == job["model"]
        if kind == "chat":
            assert (snapshot.text, snapshot.reasoning) == (job["result"]["text"], job["result"]["reasoning"])
        else:
            assert [artifact.as_json() for artifact in snapshot.artifacts] == job["result"]["artifacts"]


async def test_submit_and_cancel_by_websocket(ada: Client) -> None:
    async with ada.socket() as socket:
        await socket.send(op="submit", ref="r1", kind="chat", input={**ASK, "max_tokens": 4000})
        accepted = await socket.receive_op("accepted")
        assert accepted["ref"] == "r1"
        while (await socket.receive_op("event"))["type"] != "delta":
            pass
        await socket.send(op="cancel", job=accepted["job"], ref="r2")
        frames = await socket.read_to_end(accepted["job"])
    assert frames[-1]["type"] == "cancelled"
    job = await ada.settled(accepted["job"])
    assert job["status"] == "cancelled"
    assert job["result"]["text"]


async def test_a_key_may_come_in_the_first_frame_instead(ada: Client, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(ada.url.replace("http", "ws", 1) + "/ws/v1") as raw:
        await raw.send_json({"op": "submit", "kind": "chat", "input": ASK})
        assert (await raw.receive_json(timeout=10))["code"] == "unauthenticated"
        await raw.send_json({"op": "auth", "token": ada.headers["Authorization"].removeprefix("Bearer ")})
        assert (await raw.receive_json(timeout=10))["op"] == "signed_in"
        await raw.send_json({"op": "ping"})
        assert (await raw.receive_json(timeout=10))["op"] == "pong"


BAD_FRAMES = [
    ("not json", "bad_request"),
    ("[]", "bad_request"),
    ("{}", "bad_request"),
    ('{"op": 7}', "bad_request"),
    ('{"op": "dance"}', "bad_request"),
    ('{"op": "submit", "kind": "chat", "input": []}', "bad_request"),
    ('{"op": "submit", "kind": "film", "input": {}}', "bad_request"),
    ('{"op": "submit", "kind": "chat", "input": {"messages": "hello"}}', "bad_request"),
    ('{"op": "submit", "kind": "chat", "input": {"messages": []}, "priority": "now"}', "bad_request"),
    ('{"op": "follow", "job": "x", "after": "yesterday"}', "bad_request"),
    ('{"op": "follow", "job": "not-a-job"}', "not_found"),
    ('{"op": "follow", "job": "not-a-job", "as": -1}', "bad_request"),
    ('{"op": "follow", "job": "not-a-job", "as": true}', "bad_request"),
    ('{"op": "submit", "kind": "chat", "input": {}, "as": "one"}', "bad_request"),
    ('{"op": "cancel", "job": 5}', "bad_request"),
    ('{"op": "submit", "kind": "chat", "input": {}, "pad": "' + "x" * 10_000_000 + '"}', "too_large"),
    ("[" * 200_000, "bad_request"),
]


async def test_a_change_is_told_to_the_sockets_that_watch_in_any_web_process(
    ada: Client, grace: Client, second_web: str, http: aiohttp.ClientSession, stack: Stack
) -> None:
    elsewhere = Client(http, second_web, stack.keys["ada"])
    async with ada.socket() as here, elsewhere.socket() as there, grace.socket() as other:
        for socket in (here, there, other):
            await socket.send(op="watch")
            await socket.receive_op("watching")
        told: list[str] = []
        status, folder = await ada.call("POST", "/api/v1/folders", json={"name": "Told once"})
        assert status == 201
        for socket in (here, there):
            frame = await socket.receive_op("changed")
            told.append(frame["thing"])
        assert told == ["folders", "folders"]
        await other.send(op="ping")
        assert (await other.receive())["op"] == "pong", "nobody else hears of it"
        # The other tests of this product want their own folders only.
        await ada.call("DELETE", f"/api/v1/folders/{folder['id']}")


async def test_malformed_frames_get_an_error_and_harm_nothing(ada: Client) -> None:
    async with ada.socket() as socket:
        for text, code in BAD_FRAMES:
            await socket.raw.send_str(text)
            frame = await socket.receive()
            assert (frame["op"], frame["code"]) == ("error", code), (text[:80], frame)
        await socket.raw.send_bytes(b"\x00\xff")
        assert (await socket.receive())["code"] == "bad_request"
        await socket.send(op="submit", kind="chat", input=ASK)
        job_id = (await socket.receive_op("accepted"))["job"]
        assert (await socket.read_to_end(job_id))[-1]["type"] == "finished"


async def test_the_convenience_endpoint_answers_in_one_piece_or_as_a_stream(ada: Client) -> None:
    question = {"query": "And then?", "history": ASK["messages"], "max_tokens": 30, "temperature": 0}
    status, whole = await ada.call("POST", "/api/v1/chat", json=question)
    assert status == 200, whole
    async with ada.session.post(
        f"{ada.url}/api/v1/chat", json={**question, "stream": True}, headers=ada.headers
    ) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = (await answer.text()).splitlines()
    deltas = [json.loads(after[6:]) for line, after in pairwise(lines) if line == "event: delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == whole["result"]["text"] != ""


async def test_a_reader_that_stops_reading_does_not_slow_the_others(ada: Client) -> None:
    job_id = await ada.submit("chat", {**ASK, "max_tokens": 600})
    async with ada.session.get(f"{ada.url}/api/v1/jobs/{job_id}/events", headers=ada.headers) as never_read:
        assert never_read.status == 200
        frames = await ada.read_to_end(job_id)
        assert frames[-1]["type"] == "finished"
        assert fold_frames(frames).text == (await ada.settled(job_id))["result"]["text"]


async def test_artifacts_are_served_whole_and_in_ranges(ada: Client) -> None:
    job = await ada.settled(await ada.submit("voice", {"text": "A short sentence.", "language": "en"}))
    url = job["result"]["artifacts"][0]["url"]
    status, whole = await ada.call("GET", url)
    assert status == 200
    assert whole[:4] == b"RIFF"
    status, part = await ada.call("GET", url, headers={"Range": "bytes=10-19"})
    assert (status, part) == (206, whole[10:20])
    status, tail = await ada.call("GET", url, headers={"Range": "bytes=-5"})
    assert (status, tail) == (206, whole[-5:])
    status, _ = await ada.call("GET", url, headers={"Range": f"bytes={len(whole)}-"})
    assert status == 416


async def test_what_was_moved_to_storage_is_gone_from_redis(ada: Client, stack: Stack) -> None:
    job_id = await ada.submit("image", {"prompt": "a tree", "steps": 2, "count": 2})
    job = await ada.settled(job_id)
    keys = Redis.from_url(stack.redis.url).keys(f"aigc:{{{job_id}}}:bytes:*")
    assert len(job["result"]["artifacts"]) == 2
    assert keys == []
    assert [event["type"] for event in await ada.read_to_end(job_id)][-1] in ENDS
