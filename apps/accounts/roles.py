"""The role table: what each member of a workspace may do there."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member is in a workspace, from most to least."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    REVIEWER = "reviewer", _("Reviewer")
    CREATOR = "creator", _("Creator")
    VIEWER = "viewer", _("Viewer")


class Permission(StrEnum):
    """One thing that a role allows inside its workspace."""

    READ_MODELS = "models.read"
    SUBMIT_JOBS = "jobs.submit"
    READ_OWN_JOBS = "jobs.read_own"
    READ_ALL_JOBS = "jobs.read_all"
    CANCEL_OWN_JOBS = "jobs.cancel_own"
    CANCEL_ALL_JOBS = "jobs.cancel_all"
    MANAGE_OWN_KEYS = "keys.manage_own"
    READ_AUDIT = "audit.read"
    MANAGE_MEMBERS = "members.manage"
    MANAGE_WORKSPACE = "workspace.manage"


_VIEWER = frozenset({Permission.READ_MODELS, Permission.READ_OWN_JOBS, Permission.MANAGE_OWN_KEYS})
_CREATOR = _VIEWER | {Permission.SUBMIT_JOBS, Permission.CANCEL_OWN_JOBS}
_REVIEWER = _CREATOR | {Permission.READ_ALL_JOBS}
_ADMIN = _REVIEWER | {Permission.CANCEL_ALL_JOBS, Permission.READ_AUDIT, Permission.MANAGE_MEMBERS}
_OWNER = _ADMIN | {Permission.MANAGE_WORKSPACE}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.REVIEWER: _REVIEWER,
    Role.CREATOR: _CREATOR,
    Role.VIEWER: _VIEWER,
}


def can(role: Role, permission: Permission) -> bool:
    """Whether a member with this role may do it."""
    return permission in PERMISSIONS[role]
