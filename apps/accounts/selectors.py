"""Reading accounts."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.actors import Actor
from apps.accounts.models import Membership, User, Workspace
from apps.accounts.roles import Role


def has_any_user() -> bool:
    """Whether somebody can sign in already."""
    return User.objects.exists()


def get_user_by_email(email: str) -> User | None:
    """The user with this address, however it is capitalised."""
    return User.objects.filter(email=email.strip().lower()).first()


def get_membership(*, user_id: UUID, workspace_id: UUID | None = None) -> Membership | None:
    """The user's membership in that workspace, or in their oldest one when it is not named or not theirs."""
    memberships = (
        Membership.objects.filter(user_id=user_id).select_related("workspace").order_by("created_at", "pk")
    )
    if workspace_id is not None and (named := memberships.filter(workspace_id=workspace_id).first()):
        return named
    return memberships.first()


def find_actor(*, user_id: UUID, workspace_id: UUID) -> Actor | None:
    """Who the product works for when nobody is signed in; None once the person is gone from there."""
    membership = Membership.objects.filter(
        user_id=user_id, workspace_id=workspace_id, user__is_active=True
    ).first()
    return None if membership is None else Actor(user_id, workspace_id, Role(membership.role), "command")


def get_workspace(workspace_id: UUID) -> Workspace:
    """The workspace. Raises DoesNotExist."""
    return Workspace.objects.get(pk=workspace_id)
