"""The WebSocket addresses."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.urls import path

from apps.jobs.consumers import JobsConsumer

# Channels routes ASGI applications with Django's `path`, whose stubs know views only.
routes: Any = [path("ws/v1", cast(Any, JobsConsumer.as_asgi()))]
websocket_application = CookieMiddleware(SessionMiddleware(URLRouter(routes)))
