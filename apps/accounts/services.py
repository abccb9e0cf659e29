"""Writing accounts: people and their workspaces, signing in, API keys, the first admin."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import redis
import structlog
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from rest_framework_api_key.crypto import KeyGenerator

from aigc.lib.client_ip import current_client_ip
from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.rate_limit import Limit, forget
from aigc.lib.redis_client import redis_client
from apps.accounts.actors import Actor
from apps.accounts.models import ApiKey, Membership, User, WelcomeLink, Workspace, normalized_email
from apps.accounts.roles import Role
from apps.accounts.selectors import get_membership, has_any_user
from apps.audit.models import Action
from apps.audit.services import record

log = structlog.get_logger(__name__)

WELCOME_LINK_LIFE = timedelta(hours=24)
# A write for every API request would cost more than the request; nobody needs the second.
LAST_USED_GRAIN = timedelta(minutes=5)
# One address may try this many times as often as one person from it: an office has many people.
TRIES_PER_ADDRESS = 10

_keys = KeyGenerator()


# --- people


def create_user(
    *,
    email: str,
    password: str | None,
    name: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    created_by: UUID | None = None,
) -> User:
    """Make a person and their own workspace. Raises AppError for a bad or taken address or weak password."""
    address = normalized_email(email)
    _check_new_user(address, password, name)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                address, password, name=name.strip(), is_staff=is_staff, is_superuser=is_superuser
            )
            workspace = _create_personal_workspace(user)
            record(
                Action.USER_CREATED,
                workspace_id=workspace.pk,
                actor_id=created_by or user.pk,
                target_type="user",
                target_id=user.pk,
            )
    except IntegrityError as error:
        raise AppError(ErrorCode.CONFLICT, f"{address} has an account already.", field="email") from error
    return user


def ensure_workspace(user: User) -> Membership:
    """The user's oldest membership; a user that `createsuperuser` or the admin made gets a workspace here."""
    if membership := get_membership(user_id=user.pk):
        return membership
    with transaction.atomic():
        # Two requests at once must not make two workspaces.
        User.objects.select_for_update().get(pk=user.pk)
        if membership := get_membership(user_id=user.pk):
            return membership
        workspace = _create_personal_workspace(user)
        return Membership.objects.select_related("workspace").get(user=user, workspace=workspace)


def _create_personal_workspace(user: User) -> Workspace:
    workspace = Workspace.objects.create(name=f"{user.get_short_name()}'s workspace"[:100])
    Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
    return workspace


def _check_new_user(email: str, password: str | None, name: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        message = f"{email[:100]!r} is not an email address."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="email") from error
    if User.objects.filter(email=email).exists():
        raise AppError(ErrorCode.CONFLICT, f"{email} has an account already.", field="email")
    if password is None:
        return
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise AppError(ErrorCode.BAD_REQUEST, " ".join(error.messages), field="password") from error


# --- signing in


def check_credentials(*, email: str, password: str) -> User:
    """The user with this address and password. Raises AppError: 401 for a mismatch, 429 after many tries.

    An unknown address costs the same time as a wrong password (Django's backend hashes either way) and gives
    the same answer, so nobody learns who has an account.
    """
    address = normalized_email(email)
    name = _count_sign_in_try(address)
    user = authenticate(username=address, password=password)
    if not isinstance(user, User):
        record(Action.SIGN_IN_FAILED, target_type="email", target_id=address[:100])
        raise AppError(ErrorCode.UNAUTHENTICATED, "This email and password do not match.")
    forget(redis_client(), name)
    return user


def record_sign_in(actor: Actor) -> None:
    """Note that a session began."""
    record(Action.SIGNED_IN, workspace_id=actor.workspace_id, actor_id=actor.user_id)


def record_sign_out(actor: Actor) -> None:
    """Note that a session ended."""
    record(Action.SIGNED_OUT, workspace_id=actor.workspace_id, actor_id=actor.user_id)


def _count_sign_in_try(email: str) -> str:
    """Count the try; returns the name it was counted under. Raises AppError when it is one too many."""
    ip = current_client_ip() or "unknown"
    # Addresses of people are no business of whoever reads Redis.
    name = f"sign-in:{hashlib.sha256(email.encode()).hexdigest()[:32]}:{ip}"
    tries, window_s = settings.AIGC_SIGN_IN_TRIES, settings.AIGC_SIGN_IN_WINDOW_S
    try:
        client = redis_client()
        wait_s = max(
            Limit(tries, window_s).wait_s(client, name),
            Limit(tries * TRIES_PER_ADDRESS, window_s).wait_s(client, f"sign-in:{ip}"),
        )
    except redis.RedisError as error:
        log.warning("sign_in_limit_unavailable", error=str(error))
        message = "Signing in needs Redis, which does not answer; try again in a few seconds."
        raise AppError(ErrorCode.UNAVAILABLE, message, retry_after_s=5) from error
    if wait_s:
        message = f"Too many tries to sign in; try again in {wait_s} s."
        raise AppError(ErrorCode.RATE_LIMITED, message, retry_after_s=wait_s)
    return name


def actor_for_session(user: User, *, workspace_id: UUID | None = None) -> Actor:
    """The actor of a signed-in user, in that workspace if it is theirs, else in their oldest one."""
    membership = get_membership(user_id=user.pk, workspace_id=workspace_id) or ensure_workspace(user)
    structlog.contextvars.bind_contextvars(user_id=str(user.pk))
    return Actor(user.pk, membership.workspace_id, Role(membership.role), "session", is_staff=user.is_staff)


# --- API keys


def create_api_key(
    *, user: User, workspace_id: UUID, name: str, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key that acts as the user in that workspace. Its text is returned here and never again."""
    if not name.strip() or len(name.strip()) > 50:
        raise AppError(
            ErrorCode.BAD_REQUEST, f"The name {name[:60]!r} needs 1 to 50 characters.", field="name"
        )
    key, prefix, hashed_key = _keys.generate()
    with transaction.atomic():
        row = ApiKey.objects.create(
            user=user,
            workspace_id=workspace_id,
            name=name.strip(),
            prefix=prefix,
            hashed_key=hashed_key,
            expires_at=expires_at,
        )
        record(
            Action.API_KEY_CREATED,
            workspace_id=workspace_id,
            actor_id=user.pk,
            target_type="api_key",
            target_id=row.pk,
            data={"name": row.name, "prefix": prefix},
        )
    return row, key


def revoke_api_key(*, key_id: UUID, revoked_by: UUID | None) -> None:
    """End a key for good; a key that has ended already is left as it is."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=timezone.now()):
            return
        row = ApiKey.objects.get(pk=key_id)
        record(
            Action.API_KEY_REVOKED,
            workspace_id=row.workspace_id,
            actor_id=revoked_by,
            target_type="api_key",
            target_id=row.pk,
            data={"name": row.name, "prefix": row.prefix},
        )


def find_api_key(token: str) -> tuple[User, Actor] | None:
    """The user and actor of a key that works now, else None. One query."""
    prefix, dot, _ = token.partition(".")
    # Databases differ in what they make of odd characters, so those never reach one.
    if not dot or len(prefix) != _keys.prefix_length or not prefix.isalnum() or len(token) > 200:
        return None
    role = Membership.objects.filter(user=OuterRef("user"), workspace=OuterRef("workspace")).values("role")[
        :1
    ]
    row = (
        ApiKey.objects.filter(prefix=prefix, revoked_at=None, user__is_active=True)
        .select_related("user")
        .annotate(role=Subquery(role))
        .first()
    )
    # A user who left the workspace keeps no key to it: `role` is None then.
    if row is None or row.role is None or not _keys.verify(token, row.hashed_key):
        return None
    now = timezone.now()
    if row.expires_at is not None and row.expires_at <= now:
        return None
    _note_use(row, now)
    structlog.contextvars.bind_contextvars(user_id=str(row.user_id))
    actor = Actor(row.user_id, row.workspace_id, Role(row.role), "api_key", is_staff=row.user.is_staff)
    return row.user, actor


def authenticate_bearer(token: str) -> Actor | None:
    """The actor of an API key, or None when it does not exist, was revoked, has expired or lost its user."""
    found = find_api_key(token)
    return None if found is None else found[1]


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = now - LAST_USED_GRAIN
    if key.last_used_at is None or key.last_used_at < stale:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now)


# --- the first admin


def create_first_admin(*, email: str, password: str, name: str = "") -> User:
    """Make the person who runs this installation."""
    return create_user(email=email, password=password, name=name, is_staff=True, is_superuser=True)


def make_welcome_link() -> str:
    """A new token for the one-time link; an earlier unused one stops working."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        WelcomeLink.objects.filter(used_at=None).delete()
        WelcomeLink.objects.create(
            token_hash=_token_hash(token), expires_at=timezone.now() + WELCOME_LINK_LIFE
        )
    return token


def accept_welcome_link(*, token: str, email: str, password: str, name: str) -> User:
    """Use the link: make the first admin. Raises AppError when it was used, replaced, or is too old."""
    now = timezone.now()
    with transaction.atomic():
        # The link first: a stranger without one learns nothing about addresses or passwords.
        used = WelcomeLink.objects.filter(token_hash=_token_hash(token), used_at=None, expires_at__gt=now)
        if not used.update(used_at=now) or has_any_user():
            message = "This link was used or replaced, or is older than a day."
            raise AppError(ErrorCode.GONE, f"{message} The command `manage.py first_admin` prints a new one.")
        # A refused address or password rolls back, so the link stays good for the next try.
        return create_first_admin(email=email, password=password, name=name)


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
