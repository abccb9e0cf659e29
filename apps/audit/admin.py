"""The audit log, to read."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin

from apps.audit.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Nobody changes the log, staff included."""

    list_display = (
        "created_at",
        "action",
        "actor",
        "workspace",
        "target_type",
        "target_id",
        "ip",
        "request_id",
    )
    list_select_related = ("actor", "workspace")
    list_filter = ("action", "target_type", "created_at")
    search_fields = ("target_id", "request_id", "actor__email")
    show_full_result_count = False

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False
