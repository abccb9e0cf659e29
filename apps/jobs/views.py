"""REST for jobs: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from redis.exceptions import RedisError
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.in_pool import in_pool
from aigc.lib.pagination import NewestFirst
from aigc.lib.ranges import file_response
from apps.accounts.authentication import actor_of, authenticate_request
from apps.accounts.roles import Permission
from apps.jobs import files, kinds, selectors, services
from apps.jobs.metrics import render_metrics
from apps.jobs.models import Job
from apps.jobs.serializers import JobFilterSerializer, JobSerializer, SubmitSerializer, UploadSerializer
from apps.jobs.sse import after_of, event_stream
from apps.jobs.states import Tier

IDEMPOTENCY_KEY_MAX = 200


def idempotency_key_of(request: HttpRequest | Request) -> str:
    """The `Idempotency-Key` header. Raises AppError when it is too long."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > IDEMPOTENCY_KEY_MAX:
        message = f"Idempotency-Key: {len(key)} characters are more than the {IDEMPOTENCY_KEY_MAX} that a key may have."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="Idempotency-Key")
    return key


class JobsView(GenericAPIView[Job]):
    """Submit a job, or list one's own."""

    pagination_class = NewestFirst

    @extend_schema(
        request=SubmitSerializer,
        responses={202: JobSerializer},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
    )
    def post(self, request: Request) -> Response:
        """Submit a job. A repeated Idempotency-Key gives the first job again."""
        serializer = SubmitSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        job = services.submit_job(
            actor=actor_of(request),
            kind=asked["kind"],
            params=asked["input"],
            model=asked.get("model"),
            tier=Tier(asked["priority"]),
            idempotency_key=idempotency_key_of(request),
        )
        return Response(selectors.view_job(job, live=True), status=202)

    @extend_schema(parameters=[JobFilterSerializer], responses=JobSerializer(many=True))
    def get(self, request: Request) -> Response:
        """One's own jobs, newest first."""
        serializer = JobFilterSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        jobs = selectors.list_jobs_for(
            actor_of(request), kind=asked.get("kind", ""), statuses=asked.get("status")
        )
        page = self.paginate_queryset(jobs) or []
        return self.get_paginated_response([selectors.view_job(job) for job in page])


class JobView(APIView):
    """One job."""

    @extend_schema(responses=JobSerializer)
    def get(self, request: Request, job_id: str) -> Response:
        """The job; one that runs shows what it has made so far."""
        job = selectors.get_job_for(actor_of(request), job_id)
        return Response(selectors.view_job(job, live=True))


class CancelView(APIView):
    """Stopping a job."""

    @extend_schema(request=None, responses=JobSerializer)
    def post(self, request: Request, job_id: str) -> Response:
        """Stop the job; what it has made until then is kept."""
        job = services.cancel_job(actor=actor_of(request), job_id=job_id)
        return Response(selectors.view_job(job, live=True))


class KindsView(APIView):
    """What can be asked for."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """The JSON schema of each kind's input."""
        return Response({name: kinds.describe_input(name) for name in kinds.kind_names()})


class UploadsView(APIView):
    """Pictures to start from."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        responses={201: UploadSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep a PNG, JPEG or WebP picture; its id goes into the `image` or `mask` of an image job."""
        actor = actor_of(request)
        actor.check(Permission.SUBMIT_JOBS)
        file = request.FILES.get("file")
        if file is None:
            raise AppError(
                ErrorCode.BAD_REQUEST, "file: send the picture as the form field `file`.", field="file"
            )
        upload = files.store_upload(workspace_id=actor.workspace_id, owner_id=actor.user_id, file=file)
        shown: dict[str, Any] = {
            "id": str(upload.pk),
            "media_type": upload.media_type,
            "width": upload.width,
            "height": upload.height,
        }
        return Response(shown, status=201)


@csrf_exempt  # authenticate_request checks it for sessions
def upload_file(request: HttpRequest, upload_id: str) -> HttpResponseBase:
    """A picture that the user uploaded, to look at again or go on with."""
    upload = selectors.get_upload_for(authenticate_request(request), upload_id)
    return _private(file_response(request, *files.open_upload(upload)))


@csrf_exempt
async def job_events(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """The job's events as they happen, from `Last-Event-ID` or `?after=` on."""
    if request.method != "GET":
        raise AppError(ErrorCode.METHOD_NOT_ALLOWED, "Events are read with GET.")
    job = await in_pool(_visible_job)(request, job_id)
    return event_stream(job, after_of(request))


def _visible_job(request: HttpRequest, job_id: str) -> Job:
    return selectors.get_job_for(authenticate_request(request), job_id)


@csrf_exempt
def artifact(request: HttpRequest, job_id: str, artifact_id: str) -> HttpResponseBase:
    """A file that the job made: from storage, or from the worker's hands while it is on its way there."""
    job = selectors.get_job_for(authenticate_request(request), job_id)
    return _private(file_response(request, *files.open_artifact(job.pk, selectors.parse_id(artifact_id))))


def _private(response: HttpResponseBase) -> HttpResponseBase:
    """A file that never changes and is for one person's eyes."""
    response["Cache-Control"] = "private, max-age=86400"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def metrics(request: HttpRequest) -> HttpResponse:
    """The page that Prometheus reads."""
    del request
    try:
        body, content_type = render_metrics()
    except RedisError as error:
        message = "The figures are in Redis, which does not answer at the moment."
        raise AppError(ErrorCode.UNAVAILABLE, message, retry_after_s=5) from error
    return HttpResponse(body, content_type=content_type)
