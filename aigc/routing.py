"""The WebSocket addresses."""

from __future__ import annotations

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.urls import path

from apps.jobs.consumers import JobsConsumer

websocket_application = CookieMiddleware(
    SessionMiddleware(URLRouter([path("ws/v1", JobsConsumer.as_asgi())]))
)
