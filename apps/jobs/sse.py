"""Server-sent events (WHATWG HTML §9.2) of a job's stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.http import HttpRequest, StreamingHttpResponse

from aigc.lib.errors import AppError, ErrorCode
from apps.jobs.events import BEGINNING, EventId
from apps.jobs.models import Job
from apps.jobs.selectors import follow


def event_stream(job: Job, after: EventId) -> StreamingHttpResponse:
    """The job's events after an id, each with its id and type, to the terminal one."""
    response = StreamingHttpResponse(_lines(job, after), content_type="text/event-stream; charset=utf-8")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold events back
    response["X-Job-Id"] = str(job.pk)
    return response


def after_of(request: HttpRequest) -> EventId:
    """The id that the client saw last: `Last-Event-ID`, or `?after=`. Raises AppError."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after") or ""
    try:
        return EventId.parse(text) if text else BEGINNING
    except ValueError as error:
        message = (
            f"after: {text[:50]!r} is not an event id; send the `id` of the last event you saw, such as 1-17."
        )
        raise AppError(ErrorCode.BAD_REQUEST, message, field="after") from error


async def _lines(job: Job, after: EventId) -> AsyncIterator[bytes]:
    yield b": the stream is open\n\n"  # sends the headers at once
    async for batch in follow(job, after):
        yield "".join(f"id: {id_}\nevent: {type_}\ndata: {data}\n\n" for id_, type_, data in batch).encode()
