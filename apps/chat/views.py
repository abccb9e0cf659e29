"""`POST /api/v1/chat`: a whole answer for one request, or its stream."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.in_pool import in_pool
from apps.accounts.actors import Actor
from apps.accounts.authentication import authenticate_request
from apps.chat.serializers import ChatRequest
from apps.jobs import selectors, services
from apps.jobs.events import BEGINNING
from apps.jobs.models import Job
from apps.jobs.sse import event_stream
from apps.jobs.views import idempotency_key_of


@csrf_exempt  # authenticate_request checks it for sessions
async def chat(request: HttpRequest) -> HttpResponseBase:
    """Ask once: the finished job as JSON, or with `"stream": true` its events as SSE."""
    if request.method != "POST":
        raise AppError(ErrorCode.METHOD_NOT_ALLOWED, "Ask with POST.")
    asked, job = await in_pool(_submit)(request)
    if asked.stream:
        return event_stream(job, BEGINNING)
    async for _batch in selectors.follow(job):
        pass
    return JsonResponse(await in_pool(_finished_view)(job))


def _submit(request: HttpRequest) -> tuple[ChatRequest, Job]:
    actor: Actor = authenticate_request(request)
    asked = _parse(request.body)
    params: dict[str, Any] = asked.model_dump(
        exclude_none=True, exclude={"query", "images", "history", "stream", "model"}
    )
    params["messages"] = [
        *(turn.model_dump() for turn in asked.history),
        {"role": "user", "content": asked.query, "images": asked.images},
    ]
    job = services.submit_job(
        actor=actor,
        kind="chat",
        params=params,
        model=asked.model,
        idempotency_key=idempotency_key_of(request),
    )
    return asked, job


def _parse(body: bytes) -> ChatRequest:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AppError(ErrorCode.BAD_REQUEST, "The body is not JSON.") from error
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        raise services.input_error(error, prefix="") from error


def _finished_view(job: Job) -> dict[str, Any]:
    """The end is in the stream a moment before it is in the row; settle is idempotent, so take it from there."""
    services.settle(job.pk)
    job.refresh_from_db()
    return dict(selectors.view_job(job))
