"""Every request has a name: in its answer, in its log lines and in what it caused."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from aigc.lib.client_ip import bind_client_ip, client_ip
from aigc.lib.loop_middleware import LoopMiddleware

HEADER = "X-Request-ID"
# A client's own id is kept when it is short and harmless in a log line.
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the request being answered here, or an empty string outside of one."""
    return _current.get()


def bind_request_id(claimed: str = "") -> str:
    """Give the work that follows in this context an id: the claimed one if acceptable, else a new one.

    Also for what is no HTTP request: a WebSocket frame, a Celery task. What an earlier request bound to the
    log lines of this context is forgotten. Returns the id.
    """
    request_id = claimed if ACCEPTABLE.fullmatch(claimed) else uuid.uuid4().hex
    _current.set(request_id)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


class RequestIdMiddleware(LoopMiddleware):
    """First of all middleware: binds the id and the client's address, and puts the id into the answer.

    Nothing is unbound afterwards: the body of a streamed answer is made after the middleware has returned.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Bind the id that the client or a proxy sent, or a new one."""
        bind_request_id(request.headers.get(HEADER, ""))
        forwarded = request.headers.get("X-Forwarded-For", "")
        bind_client_ip(client_ip(request.META.get("REMOTE_ADDR"), forwarded, hops=settings.AIGC_PROXY_HOPS))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Tell the client the id."""
        del request
        response[HEADER] = current_request_id()
        return response
