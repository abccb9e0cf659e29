"""Jobs in the admin: to look at, and to stop."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from typing_extensions import override
from unfold.admin import ModelAdmin

from apps.jobs.models import Artifact, Job, Upload


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Rows that only services write."""

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs, newest first, with the reason of every failure."""

    list_display = (
        "id",
        "kind",
        "model",
        "status",
        "attempt",
        "owner",
        "created_at",
        "finished_at",
        "reason",
    )
    list_filter = ("kind", "status", "tier", "model")
    search_fields = ("id", "owner__email")
    date_hierarchy = "created_at"
    list_select_related = ("owner",)
    # What a repeated request is compared by: nothing to read, and wider than a phone.
    exclude = ("input_digest",)

    @admin.display(description=_("Reason"))
    def reason(self, job: Job) -> str:
        """Why it failed."""
        return str((job.error or {}).get("message", ""))


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    """Files that jobs made."""

    list_display = ("id", "job", "media_type", "size", "created_at")
    list_filter = ("media_type",)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """Files that users gave."""

    list_display = ("id", "owner", "media_type", "width", "height", "size", "created_at")
