"""`/api/v1/session`: who am I, sign in, sign out."""

from __future__ import annotations

import hashlib
from unittest.mock import patch

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.test import AsyncClient, Client
from pytest_django import Settings

from aigc.lib.redis_client import redis_client
from apps.accounts.authentication import WORKSPACE_KEY, actor_of_session
from apps.accounts.models import Membership
from apps.accounts.roles import Role
from apps.accounts.services import create_api_key
from apps.audit.models import Action, AuditEntry
from tests.unit.accounts_people import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/session"
JSON = "application/json"


def sign_in(client: Client, email: str = "ada@example.org", password: str = PASSWORD, **extra: str) -> int:
    """The status of one try."""
    answer = client.post(
        URL, {"email": email, "password": password}, content_type=JSON, headers=extra or None
    )
    return answer.status_code


def test_without_a_session_the_answer_is_401_and_the_csrf_cookie(client: Client) -> None:
    answer = client.get(URL)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.cookies["csrftoken"].value


def test_signing_in_answers_who_and_where_and_lasts(client: Client) -> None:
    ada = make_user("ada")
    workspace = ada.workspaces.get()

    answer = client.post(URL, {"email": "ADA@example.org ", "password": PASSWORD}, content_type=JSON)

    assert answer.status_code == 200
    assert answer.json() == {
        "user": {"id": str(ada.pk), "email": "ada@example.org", "name": "Ada", "is_staff": False},
        "workspace": {"id": str(workspace.pk), "name": "Ada's workspace", "role": "owner"},
    }
    assert client.get(URL).json() == answer.json()
    assert AuditEntry.objects.get(action=Action.SIGNED_IN).actor_id == ada.pk


def test_signing_in_changes_the_session_id(client: Client) -> None:
    make_user("ada")
    session = client.session
    session["planted"] = "by an attacker"
    session.save()

    sign_in(client)

    assert client.cookies[settings.SESSION_COOKIE_NAME].value != session.session_key


def test_signing_out_ends_the_session_on_the_server(client: Client) -> None:
    make_user("ada")
    sign_in(client)
    old = client.cookies[settings.SESSION_COOKIE_NAME].value

    assert client.delete(URL).status_code == 204

    assert client.get(URL).status_code == 401
    client.cookies[settings.SESSION_COOKIE_NAME] = old
    assert client.get(URL).status_code == 401
    assert AuditEntry.objects.filter(action=Action.SIGNED_OUT).count() == 1


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(client: Client) -> None:
    make_user("ada")
    answers = [
        client.post(URL, {"email": email, "password": password}, content_type=JSON)
        for email, password in [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD)]
    ]

    errors = [{**answer.json()["error"], "request_id": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert errors[0] == errors[1]


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org", "gone@example.org"])
def test_every_refused_try_costs_exactly_one_hash(client: Client, email: str) -> None:
    make_user("ada")
    gone = make_user("gone")
    gone.is_active = False
    gone.save()
    hasher = type(hashers.get_hasher())

    with patch.object(hasher, "encode", autospec=True, side_effect=hasher.encode) as encode:
        assert sign_in(client, email, "wrong") == 401

    assert encode.call_count == 1


def test_an_inactive_user_cannot_sign_in_and_loses_their_session(client: Client) -> None:
    ada = make_user("ada")
    sign_in(client)
    ada.is_active = False
    ada.save()

    assert client.get(URL).status_code == 401
    assert sign_in(Client()) == 401


def test_after_too_many_tries_even_the_right_password_waits(client: Client, settings: Settings) -> None:
    settings.AIGC_SIGN_IN_TRIES = 3
    make_user("ada")
    assert [sign_in(client, password="wrong") for _ in range(3)] == [401, 401, 401]

    answer = client.post(URL, {"email": "ada@example.org", "password": PASSWORD}, content_type=JSON)

    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= settings.AIGC_SIGN_IN_WINDOW_S
    assert answer.json()["error"]["code"] == "rate_limited"
    make_user("grace")
    assert sign_in(client, "grace@example.org") == 200


def test_the_limit_ends_with_its_window(client: Client, settings: Settings) -> None:
    settings.AIGC_SIGN_IN_TRIES = 1
    make_user("ada")
    assert [sign_in(client, password="wrong") for _ in range(2)] == [401, 429]

    counters = redis_client().keys("aigc:limit:*")
    assert all(redis_client().ttl(name) > 0 for name in counters)
    redis_client().delete(*counters)  # what Redis does when the time is over

    assert sign_in(client) == 200


def test_one_address_cannot_try_its_luck_on_many_people(client: Client, settings: Settings) -> None:
    settings.AIGC_SIGN_IN_TRIES = 1

    statuses = [sign_in(client, f"person{i}@example.org", "Sommer2026!") for i in range(11)]

    assert statuses == [401] * 10 + [429]


def test_signing_in_forgets_the_earlier_tries(client: Client, settings: Settings) -> None:
    settings.AIGC_SIGN_IN_TRIES = 3
    make_user("ada")
    for _ in range(2):
        assert [sign_in(client, password=word) for word in ("wrong", "wrong", PASSWORD)] == [401, 401, 200]


def test_a_claimed_forwarded_address_does_not_dodge_the_limit(client: Client, settings: Settings) -> None:
    settings.AIGC_SIGN_IN_TRIES = 1
    tries = [sign_in(client, password="wrong", **{"X-Forwarded-For": f"10.0.0.{i}"}) for i in range(2)]
    assert tries == [401, 429]


def test_redis_keys_of_the_limit_do_not_show_the_address(client: Client) -> None:
    sign_in(client, "ada@example.org", "wrong")

    keys = redis_client().keys("aigc:limit:*")
    assert any(hashlib.sha256(b"ada@example.org").hexdigest()[:32] in key for key in keys)
    assert not any("ada@" in key for key in keys)


def test_without_redis_signing_in_says_so(client: Client, settings: Settings) -> None:
    make_user("ada")
    settings.AIGC_REDIS_URL = "redis://127.0.0.1:1/0"

    answer = client.post(URL, {"email": "ada@example.org", "password": PASSWORD}, content_type=JSON)

    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "Redis" in answer.json()["error"]["message"]


def test_a_foreign_page_can_neither_sign_in_nor_out() -> None:
    make_user("ada")
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client) == 403

    client.get(URL)
    token = client.cookies["csrftoken"].value
    assert sign_in(client, **{"X-CSRFToken": token}) == 200
    refused = client.delete(URL)

    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "forbidden"
    assert client.get(URL).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "ada@example.org"}, "password"),
        ({"email": "a" * 300, "password": "x"}, "email"),
        ({"email": ["ada"], "password": "x"}, "email"),
    ],
)
def test_a_malformed_sign_in_names_the_field(client: Client, body: dict[str, object], field: str) -> None:
    answer = client.post(URL, body, content_type=JSON)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


def test_a_password_keeps_its_blanks(client: Client) -> None:
    ada = make_user("ada")
    ada.set_password("  correct horse  ")
    ada.save()

    assert sign_in(client, password="correct horse") == 401
    assert sign_in(client, password="  correct horse  ") == 200


def test_an_api_key_says_who_it_acts_as(client: Client) -> None:
    ada = make_user("ada")
    _, key = create_api_key(user=ada, workspace_id=ada.workspaces.get().pk, name="script")

    answer = client.get(URL, headers={"Authorization": f"Bearer {key}"})

    assert answer.json()["user"]["email"] == "ada@example.org"


def test_a_websockets_session_has_the_same_actor_until_it_signs_out(client: Client) -> None:
    ada = make_user("ada")
    theirs = make_user("grace").workspaces.get()
    Membership.objects.create(user=ada, workspace=theirs, role=Role.VIEWER)
    sign_in(client)
    store = SessionStore(client.cookies[settings.SESSION_COOKIE_NAME].value)
    actor = actor_of_session(store)
    assert actor is not None
    assert (actor.user_id, actor.role, actor.via) == (ada.pk, Role.OWNER, "session")

    store[WORKSPACE_KEY] = str(theirs.pk)
    store.save()
    moved = actor_of_session(store)
    assert moved is not None
    assert moved.role is Role.VIEWER

    client.delete(URL)
    assert actor_of_session(SessionStore(store.session_key)) is None


def test_a_changed_password_ends_other_sessions(client: Client) -> None:
    ada = make_user("ada")
    sign_in(client)
    ada.set_password("another good password")
    ada.save()

    assert client.get(URL).status_code == 401


@pytest.mark.django_db(transaction=True)
async def test_signing_in_works_on_the_event_loop_too(async_client: AsyncClient) -> None:
    await sync_to_async(make_user)("ada")

    answer = await async_client.post(
        URL, {"email": "ada@example.org", "password": PASSWORD}, content_type=JSON
    )

    assert answer.status_code == 200
    assert (await async_client.get(URL)).json() == answer.json()
    await sync_to_async(connections.close_all)()  # the thread's own, or its test database cannot be dropped
