"""REST for speeches: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.pagination import NewestFirst
from aigc.lib.ranges import file_response
from apps.accounts.authentication import actor_of, authenticate_request
from apps.catalog.services import find_voices
from apps.jobs.selectors import view_job
from apps.jobs.serializers import JobSerializer
from apps.voice import selectors, services
from apps.voice.serializers import OfferOutput, SpeechFilter
from apps.voice.sound_files import FORMATS


class OfferView(APIView):
    """`/api/v1/speech-offer`."""

    @extend_schema(
        operation_id="speech_offer",
        parameters=[OpenApiParameter("model", description="A voice model's id; the default one if absent.")],
        responses=OfferOutput,
    )
    def get(self, request: Request) -> Response:
        """What can be chosen for a speech of a model; not known until a worker has loaded it, and one is asked."""
        spoken = find_voices(actor_of(request), request.query_params.get("model"))
        return Response(selectors.view_offer(spoken))


class SpeechesView(GenericAPIView[Any]):
    """`/api/v1/speeches`."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="speeches_list", parameters=[SpeechFilter], responses=JobSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """One's own speeches, newest first: voice jobs that were not deleted."""
        serializer = SpeechFilter(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        search = serializer.validated_data.get("search", "").strip()
        page = self.paginate_queryset(selectors.list_speeches(actor_of(request), search=search)) or []
        return self.get_paginated_response([view_job(speech) for speech in page])


class SpeechView(APIView):
    """`/api/v1/speeches/{id}`."""

    @extend_schema(operation_id="speeches_delete", responses={204: None})
    def delete(self, request: Request, speech_id: str) -> Response:
        """Hide it at once; ten minutes later nothing of it is left."""
        services.delete_speech(actor=actor_of(request), speech_id=speech_id)
        return Response(status=204)


class RestoreView(APIView):
    """`/api/v1/speeches/{id}/restore`."""

    @extend_schema(operation_id="speeches_restore", request=None, responses={204: None})
    def post(self, request: Request, speech_id: str) -> Response:
        """Undo the deletion."""
        services.restore_speech(actor=actor_of(request), speech_id=speech_id)
        return Response(status=204)


@csrf_exempt
def sound(request: HttpRequest, speech_id: str) -> HttpResponseBase:
    """The speech as a file to download, `?as=wav`, `mp3` or `ogg`, whatever format it was made in."""
    format_ = request.GET.get("as", "wav")
    if format_ not in FORMATS:
        message = f"as: {format_[:20]!r} is not one of {', '.join(FORMATS)}."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="as")
    if request.method not in ("GET", "HEAD"):
        raise AppError(ErrorCode.METHOD_NOT_ALLOWED, "A speech is read with GET.")
    actor = authenticate_request(request)
    opened = services.open_as(actor=actor, speech_id=speech_id, format_=format_)
    response = file_response(request, *opened)
    response["Cache-Control"] = "private, max-age=86400"
    disposition = content_disposition_header(True, f"speech-{speech_id[:8]}.{format_}")
    response["Content-Disposition"] = disposition or "attachment"
    return response
