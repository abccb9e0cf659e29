"""From a request to an actor: by bearer API key or by session, on every transport."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from typing_extensions import override

from aigc.lib.errors import NotAllowed, NotSignedIn
from apps.accounts.actors import Actor
from apps.accounts.models import User
from apps.accounts.services import actor_for_session, find_api_key

WORKSPACE_KEY = "workspace_id"


def bearer_token(header: str) -> str | None:
    """The token of an `Authorization: Bearer TOKEN` header, else None."""
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def session_workspace_id(session: SessionBase) -> UUID | None:
    """The workspace that the session is in, if it chose one."""
    value = session.get(WORKSPACE_KEY)
    return UUID(value) if value else None


class BearerAuthentication(authentication.BaseAuthentication):
    """API keys. `request.user` is the key's user, `request.auth` the actor."""

    @override
    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        token = bearer_token(request.headers.get("Authorization", ""))
        if token is None:
            return None
        found = find_api_key(token)
        if found is None:
            raise AuthenticationFailed
        return found

    @override
    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with the CSRF check. `request.auth` is the actor."""

    @override
    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        found = super().authenticate(request)
        if found is None or not isinstance(found[0], User):
            return None
        return found[0], actor_for_session(found[0], workspace_id=session_workspace_id(request.session))


def actor_of_session(session: SessionBase) -> Actor | None:
    """The actor of a session, or None when nobody is signed in with it any more; for WebSockets.

    The caller has checked where the connection comes from: there is no CSRF token on a socket.
    """
    request = HttpRequest()
    # Read again: the one that a connection carries remembers how it was.
    request.session = session.__class__(session.session_key)
    user = get_user(request)
    if not isinstance(user, User):
        return None
    return actor_for_session(user, workspace_id=session_workspace_id(request.session))


def actor_of(request: Request) -> Actor:
    """The actor of a REST framework request. Raises NotSignedIn (401)."""
    if not isinstance(request.auth, Actor):
        raise NotSignedIn
    return request.auth


def authenticate_request(request: HttpRequest) -> Actor:
    """The actor of a plain Django request. Raises NotSignedIn (401), or NotAllowed (403) for a forged one.

    For views that are exempt from the CSRF middleware, because programs with a bearer key post to them too:
    the CSRF check is made here, for sessions only.
    """
    try:
        found = BearerAuthentication().authenticate(Request(request)) or _session(request)
    except AuthenticationFailed as error:
        raise NotSignedIn from error
    if found is None:
        raise NotSignedIn
    return found[1]


def _session(request: HttpRequest) -> tuple[User, Actor] | None:
    try:
        return SessionAuthentication().authenticate(Request(request))
    except PermissionDenied as error:
        raise NotAllowed(str(error.detail)) from error


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types
    """How the OpenAPI schema names our keys."""

    target_class = BearerAuthentication
    name = "bearer"

    @override
    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key from `manage.py create_api_key`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types
    """How the OpenAPI schema names our session cookie."""

    target_class = SessionAuthentication
    name = "session"

    @override
    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
