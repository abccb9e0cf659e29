"""Addresses for `test_errors.py`: views that fail in every way there is."""

from __future__ import annotations

from typing import NoReturn

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode

FAILURES: dict[str, Exception] = {
    "app": AppError(ErrorCode.CONFLICT, "The job 7 has ended.", field="job", status_now="failed"),
    "unavailable": AppError(ErrorCode.UNAVAILABLE, "Come back.", retry_after_s=0.2),
    "denied": PermissionDenied("Not yours."),
    "suspicious": SuspiciousOperation("odd"),
    "throttled": Throttled(wait=12.4),
    "bug": RuntimeError("the secret inner workings"),
}


def plain(request: HttpRequest, name: str) -> NoReturn:
    """A synchronous Django view."""
    raise FAILURES[name]


async def plain_async(request: HttpRequest, name: str) -> NoReturn:
    """An asynchronous Django view."""
    raise FAILURES[name]


async def fine(request: HttpRequest) -> HttpResponse:
    """Does not fail."""
    return HttpResponse("fine")


class Fail(APIView):
    """REST framework's view."""

    permission_classes = (AllowAny,)

    def get(self, request: Request, name: str) -> NoReturn:
        """Fail."""
        raise FAILURES[name]


class Echo(APIView):
    """Validates something nested."""

    permission_classes = (AllowAny,)
    authentication_classes = ()

    class Input(serializers.Serializer[object]):
        """A bit of everything."""

        class Turn(serializers.Serializer[object]):
            """Nested."""

            role = serializers.ChoiceField(choices=["user", "assistant"])

        prompt = serializers.CharField()
        steps = serializers.IntegerField(max_value=150, required=False)
        messages = Turn(many=True, required=False)

    def post(self, request: Request) -> Response:
        """Validate and say it back."""
        value = self.Input(data=request.data)
        value.is_valid(raise_exception=True)
        return Response(value.validated_data)


urlpatterns = [
    path("plain/<str:name>", plain),
    path("async/<str:name>", plain_async),
    path("rest/<str:name>", Fail.as_view()),
    path("echo", Echo.as_view()),
    path("fine", fine),
]

handler400 = "aigc.lib.errors.bad_request"
handler403 = "aigc.lib.errors.permission_denied"
handler404 = "aigc.lib.errors.page_not_found"
handler500 = "aigc.lib.errors.server_error"
