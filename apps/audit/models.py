"""The audit log: one row for each deed that someone may ask about later. Rows are never changed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class Action(models.TextChoices):
    """What was done. Add to the block that fits; a value, once used, keeps its meaning."""

    # Accounts
    USER_CREATED = "user.created", _("User created")
    SIGNED_IN = "session.signed_in", _("Signed in")
    SIGN_IN_FAILED = "session.sign_in_failed", _("Sign-in failed")
    SIGNED_OUT = "session.signed_out", _("Signed out")
    API_KEY_CREATED = "api_key.created", _("API key created")
    API_KEY_REVOKED = "api_key.revoked", _("API key revoked")
    # Jobs
    JOB_SUBMITTED = "job.submitted", _("Job submitted")
    JOB_CANCELLED = "job.cancelled", _("Job cancelled")
    # Catalogue
    MODEL_CHANGED = "model.changed", _("Model changed")
    MODEL_ENABLED = "model.enabled", _("Model enabled")
    MODEL_DISABLED = "model.disabled", _("Model disabled")


class AuditEntry(models.Model):
    """Who (actor) did what (action) to which thing (target), in which workspace and request."""

    workspace = models.ForeignKey(
        "accounts.Workspace",
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("workspace"),
        related_name="+",
    )
    actor = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, blank=True, verbose_name=_("actor"), related_name="+"
    )
    action = models.CharField(_("action"), max_length=40, choices=Action.choices)
    target_type = models.CharField(_("target type"), max_length=40, blank=True)
    target_id = models.CharField(_("target ID"), max_length=100, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-id",)
        indexes = (
            # The log of a workspace, newest first.
            models.Index(fields=["workspace", "-created_at"], name="audit_workspace_newest"),
            # The history of one thing.
            models.Index(fields=["target_type", "target_id", "-created_at"], name="audit_target_newest"),
            # What one person did.
            models.Index(fields=["actor", "-created_at"], name="audit_actor_newest"),
        )

    @override
    def __str__(self) -> str:
        return (
            f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.action} {self.target_type} {self.target_id}".rstrip()
        )
