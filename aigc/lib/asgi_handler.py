"""Django's ASGI handler without a thread of its own for each request."""

from __future__ import annotations

from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from typing_extensions import override


class Handler(ASGIHandler):
    """Answers on the event loop; what blocks runs in the pool (`in_pool`), whose connections are looked after there.

    Django's own starts and ends a thread for each request, for sync views and for the connections that they use. Here
    what is left of that, closing responses, shares one thread.
    """

    def __init__(self) -> None:
        super().__init__()
        request_started.disconnect(reset_queries)
        request_started.disconnect(close_old_connections)
        request_finished.disconnect(close_old_connections)

    @override
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request; the router in front lets nothing else through."""
        await self.handle(scope, receive, send)
