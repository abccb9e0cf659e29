"""Views that are not async run in the shared pool, with the same answers and the same errors."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode

threads: list[str] = []


def plain(request: HttpRequest) -> HttpResponse:
    threads.append(threading.current_thread().name)
    return HttpResponse("plain")


async def on_the_loop(request: HttpRequest) -> HttpResponse:
    threads.append(threading.current_thread().name)
    return HttpResponse("async")


def refusing(request: HttpRequest) -> HttpResponse:
    raise AppError(ErrorCode.CONFLICT, "Not now.")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken")


class Rest(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"made": "by REST framework"})


urlpatterns = [
    path("plain", plain),
    path("async", on_the_loop),
    path("refusing", refusing),
    path("broken", broken),
    path("rest", Rest.as_view()),
]
handler500 = "aigc.lib.errors.server_error"
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def forget_threads() -> None:
    threads.clear()


async def test_a_sync_view_runs_in_a_thread_of_the_pool_and_the_next_one_in_the_same() -> None:
    client = AsyncClient()
    for _ in range(3):
        assert (await client.get("/plain")).content == b"plain"
    pool = asyncio.get_running_loop()._default_executor  # type: ignore[attr-defined]
    assert {name in {thread.name for thread in pool._threads} for name in threads} == {True}


async def test_an_async_view_runs_on_the_loop() -> None:
    assert (await AsyncClient().get("/async")).content == b"async"
    assert threads == [threading.current_thread().name]


async def test_a_rest_answer_is_rendered_once_and_whole() -> None:
    answer = await AsyncClient().get("/rest")
    assert (answer.status_code, answer.json()) == (200, {"made": "by REST framework"})


async def test_a_known_error_has_the_one_shape() -> None:
    answer = await AsyncClient().get("/refusing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_an_unknown_error_is_500_in_the_one_shape() -> None:
    answer = await AsyncClient(raise_request_exception=False).get("/broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
