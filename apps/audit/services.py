"""Writing the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aigc.lib.client_ip import current_client_ip
from aigc.lib.request_id import current_request_id
from apps.audit.models import Action, AuditEntry


def record(
    action: Action,
    *,
    workspace_id: UUID | None = None,
    actor_id: UUID | None = None,
    target_type: str = "",
    target_id: object = "",
    data: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Note a deed; call it in the transaction of the deed, so that both are kept or neither.

    The request id and the client's address come from the request that is being answered. `data` is for what
    changed (`{"old": ..., "new": ...}`), never for secrets or for what people wrote.
    """
    return AuditEntry.objects.create(
        action=action,
        workspace_id=workspace_id,
        actor_id=actor_id,
        target_type=target_type,
        target_id=str(target_id),
        data=dict(data or {}),
        request_id=current_request_id(),
        ip=current_client_ip(),
    )
