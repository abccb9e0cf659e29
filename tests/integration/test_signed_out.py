"""A socket does not outlive its key, its session, its user or their role."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from apps.jobs.consumers import CHECK_EVERY_S
from tests.client import Client
from tests.stack import PASSWORD, Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

ASK = {"messages": [{"role": "user", "content": "Go on."}], "temperature": 0, "max_tokens": 4000}
SLACK_S = 3.0
NOT_SIGNED_IN = 4401
# Who loses what; `stays` loses nothing.
PEOPLE = ("revoked", "expired", "inactive", "demoted", "removed", "stays")
MAKE_PEOPLE = f"""
import json
from apps.accounts.services import create_api_key, create_user
keys = {{}}
for name in {PEOPLE!r}:
    user = create_user(email=f"{{name}}@example.org", password={PASSWORD!r})
    keys[name] = create_api_key(user=user, workspace_id=user.memberships.get().workspace_id, name=name)[1]
print(json.dumps(keys))
"""
REVOKE = """
from apps.accounts.models import ApiKey
from apps.accounts.services import revoke_api_key
revoke_api_key(key_id=ApiKey.objects.get(name="{name}").pk, revoked_by=None)
"""
TAKE_AWAY = f"""
{REVOKE.format(name="revoked")}
from django.utils import timezone
from apps.accounts.models import Membership, User
ApiKey.objects.filter(name="expired").update(expires_at=timezone.now())
User.objects.filter(email="inactive@example.org").update(is_active=False)
Membership.objects.filter(user__email="demoted@example.org").update(role="viewer")
Membership.objects.filter(user__email="removed@example.org").delete()
"""


# Their long jobs would hold up the tests that follow.
CANCEL_ALL = """
from apps.accounts.actors import Actor
from apps.accounts.roles import Role
from apps.jobs.models import Job
from apps.jobs.services import cancel_job
for job in Job.objects.filter(finished_at=None):
    cancel_job(actor=Actor(job.owner_id, job.workspace_id, Role.OWNER, "command"), job_id=job.pk)
"""


@pytest.fixture(scope="module")
def keys(running_stack: Stack) -> Iterator[dict[str, str]]:
    said = running_stack.manage("shell", "-v", "0", "-c", MAKE_PEOPLE)
    yield dict(json.loads(said.splitlines()[-1]))
    running_stack.manage("shell", "-v", "0", "-c", CANCEL_ALL)


class Listener:
    """A socket that follows a job of its own; what came, and when it was closed."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self._raw = raw
        self.last: dict[str, Any] = {}
        self.has_text = asyncio.Event()
        self.closed_at = 0.0

    @property
    def close_code(self) -> int | None:
        return self._raw.close_code

    async def listen(self) -> None:
        """Take every frame until the socket is closed."""
        await self._raw.send_json({"op": "submit", "kind": "chat", "input": ASK})
        async for message in self._raw:
            self.last = json.loads(message.data)
            if self.last.get("type") == "delta":
                self.has_text.set()
        self.closed_at = time.monotonic()


@pytest.fixture
async def session_http(stack: Stack) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser in which ada is signed in."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        url = f"{stack.url()}/api/v1/session"
        async with session.get(url) as answer:
            token = answer.cookies["csrftoken"].value
        sign_in = {"email": "ada@example.org", "password": PASSWORD}
        async with session.post(url, json=sign_in, headers={"X-CSRFToken": token}) as answer:
            assert answer.status == 200, await answer.text()
        yield session


async def sign_out(session: aiohttp.ClientSession, stack: Stack) -> None:
    token = next(cookie.value for cookie in session.cookie_jar if cookie.key == "csrftoken")
    url = f"{stack.url()}/api/v1/session"
    async with session.delete(url, headers={"X-CSRFToken": token}) as answer:
        assert answer.status == 204, await answer.text()


async def test_a_socket_closes_soon_after_its_client_lost_the_right_to_it(
    stack: Stack, http: aiohttp.ClientSession, session_http: aiohttp.ClientSession, keys: dict[str, str]
) -> None:
    url = stack.url().replace("http", "ws", 1) + "/ws/v1"
    losing = {
        name: Listener(await http.ws_connect(url, protocols=(f"bearer.{key}",))) for name, key in keys.items()
    }
    losing["signed out"] = Listener(await session_http.ws_connect(url, headers={"Origin": stack.url()}))
    staying = losing.pop("stays")
    stays = asyncio.create_task(staying.listen())
    loses = [asyncio.create_task(listener.listen()) for listener in losing.values()]
    async with asyncio.timeout(60):
        await asyncio.gather(*(listener.has_text.wait() for listener in (*losing.values(), staying)))

    await asyncio.to_thread(stack.manage, "shell", "-v", "0", "-c", TAKE_AWAY)
    await sign_out(session_http, stack)
    lost_at = time.monotonic()

    await asyncio.wait(loses, timeout=CHECK_EVERY_S + SLACK_S)
    for name, listener in losing.items():
        assert listener.close_code == NOT_SIGNED_IN, (name, listener.last)
        assert listener.closed_at - lost_at < CHECK_EVERY_S + SLACK_S, name
        assert (listener.last["op"], listener.last["code"]) == ("error", "unauthenticated"), name
    assert not stays.done()
    assert staying.last["type"] == "delta", "the jobs ended before their readers were turned away"
    stays.cancel()


async def test_an_operation_of_a_lost_client_is_refused_at_once(
    stack: Stack, http: aiohttp.ClientSession, keys: dict[str, str]
) -> None:
    async with Client(http, stack.url(), keys["stays"]).socket() as socket:
        await socket.send(op="ping")
        await socket.receive_op("pong")
        await asyncio.to_thread(stack.manage, "shell", "-v", "0", "-c", REVOKE.format(name="stays"))
        asked_at = time.monotonic()
        await socket.send(op="submit", kind="chat", input=ASK)
        refused = await socket.receive()
        closing = await socket.raw.receive(timeout=5)
    assert refused["code"] == "unauthenticated"
    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, NOT_SIGNED_IN)
    assert time.monotonic() - asked_at < 5


async def test_a_socket_stays_with_whom_it_began(ada: Client, grace: Client) -> None:
    async with ada.socket() as socket:
        await socket.send(op="auth", token=grace.headers["Authorization"].removeprefix("Bearer "), ref="1")
        assert (await socket.receive_op("error"))["code"] == "conflict"
        await socket.send(op="auth", token=ada.headers["Authorization"].removeprefix("Bearer "), ref="2")
        assert (await socket.receive_op("signed_in"))["ref"] == "2"
