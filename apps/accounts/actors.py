"""Who acts: what every service takes to know for whom it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from aigc.lib.errors import NotAllowed
from apps.accounts.roles import Permission, Role, can


@dataclass(frozen=True, slots=True)
class Actor:
    """A user in a workspace, as signed in through a session or an API key."""

    user_id: UUID
    workspace_id: UUID
    role: Role
    via: Literal["session", "api_key", "command"]
    is_staff: bool = False

    def can(self, permission: Permission) -> bool:
        """Whether the actor's role allows it in this workspace."""
        return can(self.role, permission)

    def check(self, permission: Permission) -> None:
        """Raise NotAllowed unless the actor's role allows it."""
        if not self.can(permission):
            raise NotAllowed(
                f"Your role here is {self.role.value}, which does not include {permission.value}."
            )

    def check_staff(self) -> None:
        """Raise NotAllowed unless the actor runs this installation."""
        if not self.is_staff:
            raise NotAllowed("Only staff may do this; ask whoever runs this installation.")
