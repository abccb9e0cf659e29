"""Middleware that runs on the event loop.

Django's own middleware is async only by sending each of its hooks to a thread: about twelve hops for every
request with the usual list. The hooks of the classes below touch no database and no disk, except for the one
case that `SessionMiddleware` names, so they run where the request runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.contrib.auth import middleware as auth_middleware
from django.contrib.messages import middleware as messages_middleware
from django.contrib.sessions import middleware as sessions_middleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import common as common_middleware
from django.middleware import csrf as csrf_middleware
from django.middleware import locale as locale_middleware
from django.utils.deprecation import MiddlewareMixin
from typing_extensions import override

from aigc.lib.in_pool import in_pool


class LoopMiddleware(MiddlewareMixin):
    """A `MiddlewareMixin` whose `process_request` and `process_response` run on the loop, not in a thread."""

    @override
    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        if hasattr(self, "process_request"):
            response = self.process_request(request)
        if response is None:
            get_response = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", self.get_response)
            response = await get_response(request)
        return await self.finish(request, response)

    async def finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Run `process_response`, when there is one."""
        if hasattr(self, "process_response"):
            return cast("HttpResponseBase", self.process_response(request, response))
        return response


class SessionMiddleware(LoopMiddleware, sessions_middleware.SessionMiddleware):
    """Opens the session lazily; a changed one is saved in a thread, since that writes to the database."""

    @override
    async def finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.session.modified:
            return await in_pool(self.process_response)(request, cast("Any", response))
        return self.process_response(request, cast("Any", response))


class LocaleMiddleware(LoopMiddleware, locale_middleware.LocaleMiddleware):
    """The admin's language, and that of what Django says of a field: the studio's (a cookie), or `Accept-Language`."""


class CommonMiddleware(LoopMiddleware, common_middleware.CommonMiddleware):
    """Content-Length and refused user agents."""


class CsrfViewMiddleware(LoopMiddleware, csrf_middleware.CsrfViewMiddleware):
    """The CSRF check, with its token in a cookie."""

    @override
    async def process_view(  # type: ignore[override]  # Django awaits it, or adapts it for sync requests
        self,
        request: HttpRequest,
        callback: Callable[..., Any],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        return super().process_view(request, callback, callback_args, callback_kwargs)


class AuthenticationMiddleware(LoopMiddleware, auth_middleware.AuthenticationMiddleware):
    """Sets `request.user` and `request.auser`, both lazy: nothing is read until someone asks."""


class MessageMiddleware(LoopMiddleware, messages_middleware.MessageMiddleware):
    """The admin's notices, kept in a cookie."""
