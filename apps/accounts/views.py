"""The session as the studio's page sees it: who am I, sign in, sign out, become the first admin."""

from __future__ import annotations

from typing import TypedDict

from django.contrib.auth import login, logout
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.actors import Actor
from apps.accounts.authentication import actor_of
from apps.accounts.models import User
from apps.accounts.selectors import get_workspace
from apps.accounts.services import (
    accept_welcome_link,
    actor_for_session,
    check_credentials,
    record_sign_in,
    record_sign_out,
)

BACKEND = "django.contrib.auth.backends.ModelBackend"


class UserOutput(serializers.Serializer[User]):
    """The signed-in person."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    is_staff = serializers.BooleanField()


class WorkspaceOutput(serializers.Serializer[object]):
    """The workspace the person works in, with their role there."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.CharField()


class SessionOutput(serializers.Serializer[object]):
    """Who is signed in, and where."""

    user = UserOutput()
    workspace = WorkspaceOutput()


class UserView(TypedDict):
    """A person in JSON."""

    id: str
    email: str
    name: str
    is_staff: bool


class WorkspaceView(TypedDict):
    """A workspace in JSON."""

    id: str
    name: str
    role: str


class SessionView(TypedDict):
    """A session in JSON."""

    user: UserView
    workspace: WorkspaceView


def session_view(user: User, actor: Actor) -> SessionView:
    """What the page needs to know about its user."""
    workspace = get_workspace(actor.workspace_id)
    return SessionView(
        user=UserView(id=str(user.pk), email=user.email, name=user.get_short_name(), is_staff=user.is_staff),
        workspace=WorkspaceView(id=str(workspace.pk), name=workspace.name, role=actor.role.value),
    )


def begin_session(request: Request, user: User) -> Response:
    """Sign the user in under a new session id and answer who they are."""
    login(request._request, user, backend=BACKEND)  # noqa: SLF001  login() wants Django's own request
    actor = actor_for_session(user)
    record_sign_in(actor)
    return Response(session_view(user, actor))


# The sign-in form has no session yet, so REST framework would let a foreign page send it.
@method_decorator(csrf_protect, name="dispatch")
class SessionApi(APIView):
    """`/api/v1/session`."""

    permission_classes = (AllowAny,)

    class Credentials(serializers.Serializer[object]):
        """What a person types to sign in."""

        email = serializers.CharField(max_length=254)
        password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)

    @extend_schema(operation_id="session_read", responses=SessionOutput)
    def get(self, request: Request) -> Response:
        """Say who is signed in. Sets the CSRF cookie in any case, so that a page can sign in next."""
        get_token(request._request)  # noqa: SLF001  get_token() wants Django's own request
        actor = actor_of(request)
        return Response(session_view(_user_of(request), actor))

    @extend_schema(operation_id="session_begin", request=Credentials, responses=SessionOutput)
    def post(self, request: Request) -> Response:
        """Sign in with email and password."""
        credentials = self.Credentials(data=request.data)
        credentials.is_valid(raise_exception=True)
        return begin_session(request, check_credentials(**credentials.validated_data))

    @extend_schema(operation_id="session_end", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out; without a session there is nothing to do."""
        if isinstance(request.auth, Actor) and request.auth.via == "session":
            record_sign_out(request.auth)
        logout(request._request)  # noqa: SLF001  logout() wants Django's own request
        return Response(status=204)


class WelcomeApi(APIView):
    """`/api/v1/welcome`. No CSRF check: the token in the body is what no foreign page can know."""

    permission_classes = (AllowAny,)
    authentication_classes = ()

    class FirstAdmin(serializers.Serializer[object]):
        """The token of the link and who the first admin is."""

        token = serializers.CharField(max_length=200, write_only=True)
        email = serializers.CharField(max_length=254)
        password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)
        name = serializers.CharField(max_length=100, allow_blank=True, default="")

    @extend_schema(operation_id="welcome", request=FirstAdmin, responses={201: SessionOutput})
    def post(self, request: Request) -> Response:
        """Become the first admin with the one-time link that the first start printed, and sign in."""
        wanted = self.FirstAdmin(data=request.data)
        wanted.is_valid(raise_exception=True)
        response = begin_session(request, accept_welcome_link(**wanted.validated_data))
        response.status_code = 201
        return response


def _user_of(request: Request) -> User:
    assert isinstance(request.user, User)  # noqa: S101  an actor always comes with its user
    return request.user
