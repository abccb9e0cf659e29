"""One error shape, whatever fails and wherever."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from asgiref import sync
from django.test import AsyncClient, Client
from pytest_django import Settings

from aigc.lib.client_ip import client_ip
from aigc.lib.errors import STATUS_OF, AppError, ErrorCode
from aigc.lib.redaction import redact
from aigc.lib.request_id import bind_request_id, current_request_id

pytestmark = pytest.mark.urls("tests.unit.views_that_fail")

JSON = "application/json"


@pytest.fixture
def client() -> Client:
    """A client that answers 500 as a browser would see it."""
    return Client(raise_request_exception=False)


def error_of(answer: Any) -> dict[str, Any]:
    """The error object; checks the shape that all share."""
    body = answer.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert {"code", "message", "request_id"} <= error.keys()
    assert error["request_id"] == answer["X-Request-ID"]
    assert STATUS_OF[ErrorCode(error["code"])] == answer.status_code
    return error


def test_every_code_has_a_status() -> None:
    assert set(STATUS_OF) == set(ErrorCode)


@pytest.mark.parametrize("road", ["plain", "async", "rest"])
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("app", "conflict", "The job 7 has ended."),
        ("unavailable", "unavailable", "Come back."),
        ("denied", "forbidden", "Not yours."),
        ("suspicious", "bad_request", "The request cannot be understood."),
        ("throttled", "rate_limited", "Too many requests; try again in 13 s."),
        ("bug", "internal", "Something broke on our side."),
    ],
)
def test_every_failure_has_the_shape_by_every_road(
    client: Client, road: str, name: str, code: str, message: str
) -> None:
    error = error_of(client.get(f"/{road}/{name}"))
    assert error["code"] == code
    assert error["message"].startswith(message)


@pytest.mark.parametrize("road", ["plain", "async", "rest"])
def test_the_same_on_the_event_loop(road: str) -> None:
    async def ask() -> Any:
        return await AsyncClient(raise_request_exception=False).get(f"/{road}/app")

    assert error_of(sync.async_to_sync(ask)())["status_now"] == "failed"


def test_data_joins_the_error(client: Client) -> None:
    error = error_of(client.get("/rest/app"))
    assert (error["field"], error["status_now"]) == ("job", "failed")


def test_a_wait_is_a_header_in_whole_seconds_and_never_zero(client: Client) -> None:
    assert client.get("/rest/unavailable")["Retry-After"] == "1"
    assert client.get("/rest/throttled")["Retry-After"] == "13"


def test_a_bug_tells_the_log_and_not_the_client(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="django.request"):
        answer = client.get("/rest/bug")

    assert "inner workings" not in answer.text
    assert any(record.exc_info and "inner workings" in str(record.exc_info[1]) for record in caplog.records)


def test_an_unknown_address_is_404(client: Client) -> None:
    assert "/nowhere" in error_of(client.get("/nowhere"))["message"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "prompt", "prompt: This field is required."),
        ({"prompt": "x", "steps": 151}, "steps", "steps: Ensure this value is less than or equal to 150."),
        ({"prompt": "x", "steps": "many"}, "steps", "steps: A valid integer is required."),
        (
            {"prompt": "x", "messages": [{"role": "user"}, {"role": "king"}]},
            "messages.1.role",
            'messages.1.role: "king" is not a valid choice.',
        ),
    ],
)
def test_a_bad_field_is_named_with_its_path(
    client: Client, body: dict[str, object], field: str, message: str
) -> None:
    error = error_of(client.post("/echo", body, content_type=JSON))
    assert (error["field"], error["message"]) == (field, message)
    assert "fields" not in error


def test_several_bad_fields_are_all_named(client: Client) -> None:
    error = error_of(client.post("/echo", {"steps": 151, "messages": [{}]}, content_type=JSON))
    assert set(error["fields"]) == {"prompt", "steps", "messages.0.role"}


@pytest.mark.parametrize(
    "body", ['{"prompt": ', "[1, 2", '{"prompt": NaN}', "\xff\xfe", "[" * 100_000, '"x"', ""]
)
def test_a_body_that_is_no_json_object_is_400(client: Client, body: str) -> None:
    answer = client.post("/echo", body.encode("latin-1"), content_type=JSON)
    assert error_of(answer)["code"] == "bad_request"


def test_a_body_over_the_limit_is_413_and_says_the_limit(client: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
    body = {"prompt": "x" * 1024 * 1024}

    error = error_of(client.post("/echo", body, content_type=JSON))

    assert (error["code"], error["limit_bytes"]) == ("too_large", 1024 * 1024)
    assert client.post("/echo", {"prompt": "x" * 1000}, content_type=JSON).status_code == 200


def test_other_media_types_and_methods_are_refused_in_the_shape(client: Client) -> None:
    assert error_of(client.post("/echo", "<a/>", content_type="text/xml"))["code"] == "unsupported_media_type"
    answer = client.get("/echo")
    assert error_of(answer)["code"] == "method_not_allowed"
    assert "POST" in answer["Allow"]


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("trace-0123456789", True),
        ("short", False),
        ("x" * 65, False),
        ("evil\\ninjected", False),
        ("", False),
    ],
)
def test_a_clients_request_id_is_kept_only_when_it_is_harmless(
    client: Client, claimed: str, kept: bool
) -> None:
    answer = client.get("/fine", headers={"X-Request-ID": claimed})
    assert (answer["X-Request-ID"] == claimed) is kept
    assert len(answer["X-Request-ID"]) >= 8


def test_each_request_has_an_id_of_its_own(client: Client) -> None:
    assert client.get("/fine")["X-Request-ID"] != client.get("/fine")["X-Request-ID"]


def test_an_error_outside_of_a_request_carries_the_id_that_was_bound() -> None:
    bind_request_id("frame-00000001")
    assert current_request_id() == "frame-00000001"
    assert AppError(ErrorCode.GONE, "Gone.").as_json()["error"]["request_id"] == "frame-00000001"
    assert json.dumps(AppError(ErrorCode.GONE, "Gone.", field="x").as_json())


@pytest.fixture
def thread_hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that a request sent to a thread."""
    names: list[str] = []
    original = sync.SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        names.append(getattr(self.func, "__qualname__", repr(self.func)))
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(sync.SyncToAsync, "__call__", counted)
    return names


async def test_an_async_view_is_answered_without_a_thread(thread_hops: list[str]) -> None:
    client = AsyncClient()
    answer = await client.get("/fine")

    assert answer.content == b"fine"
    # Django's own signals at the begin and the end of a request stay.
    assert not [name for name in thread_hops if "process_" in name or "Middleware" in name]


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "expected"),
    [
        ("10.0.0.1", "", 0, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", 0, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", 1, "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", 1, "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", 2, "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4", 2, "10.0.0.1"),
        ("10.0.0.1", "rubbish", 1, None),
        ("", "", 0, None),
        (None, "", 0, None),
        ("::1", "", 0, "::1"),
    ],
)
def test_only_our_own_proxies_are_believed(
    peer: str | None, forwarded: str, hops: int, expected: str | None
) -> None:
    assert client_ip(peer, forwarded, hops=hops) == expected


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ({"password": "hunter2"}, "hunter2"),
        ({"headers": {"Authorization": "Bearer abc.def"}}, "abc.def"),
        ({"event": "called with Bearer abc.def"}, "abc.def"),
        ({"error": "cannot reach postgres://studio:hunter2@db/aigc"}, "hunter2"),
        ({"error": "cannot reach redis://:hunter2@cache:6379/0"}, "hunter2"),
        ({"api_key": "abc.def"}, "abc.def"),
        ({"event": "Internal Server Error: /welcome/s3cr3t-token"}, "s3cr3t"),
    ],
)
def test_log_lines_hold_no_secrets(line: dict[str, Any], secret: str) -> None:
    assert secret not in str(redact(None, "info", line))


def test_log_lines_keep_counts_of_tokens() -> None:
    line = {"total_tokens": 12, "tokens_lost": 0, "job_id": "7", "event": "settled"}
    assert redact(None, "info", dict(line)) == line
