"""The truth about jobs: the row, the files it made and the files it was given."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from apps.jobs.states import MAX_ATTEMPTS, TERMINAL, UNFINISHED, Status, Tier


class Job(models.Model):
    """One generation of any medium."""

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", models.CASCADE, verbose_name=_("workspace"), related_name="jobs"
    )
    owner = models.ForeignKey("accounts.User", models.CASCADE, verbose_name=_("owner"), related_name="jobs")

    # What was asked.
    kind = models.CharField(_("kind"), max_length=10)
    input = models.JSONField(_("input"))
    model = models.CharField(_("model"), max_length=200)
    spec = models.JSONField(
        _("model as it was"), help_text=_("The catalogue entry as it was: every attempt runs the same model.")
    )
    tier = models.CharField(_("tier"), max_length=12, choices=Tier.choices, default=Tier.INTERACTIVE)
    priority = models.PositiveSmallIntegerField(_("priority"), default=0)
    purpose = models.CharField(
        _("purpose"),
        max_length=20,
        blank=True,
        help_text=_("Empty when a person asked; else what the product wants it for."),
    )
    idempotency_key = models.CharField(_("idempotency key"), max_length=200, blank=True)
    input_digest = models.CharField(
        _("digest"), max_length=64, help_text=_("SHA-256 of kind, model and input.")
    )

    # Where it stands.
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    sent_at = models.DateTimeField(
        _("sent"), null=True, blank=True, help_text=_("When its message last went to the broker.")
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    # What came of it.
    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="job_status_known"),
            models.CheckConstraint(
                condition=models.Q(attempt__gte=1, attempt__lte=MAX_ATTEMPTS), name="job_attempt_within_limit"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=UNFINISHED, finished_at__isnull=True)
                | models.Q(status__in=TERMINAL, finished_at__isnull=False),
                name="job_finished_at_iff_terminal",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=[Status.FAILED, Status.BLOCKED], error__isnull=True),
                name="job_failure_has_reason",
            ),
            models.UniqueConstraint(
                fields=["workspace", "owner", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="job_idempotency_key_once",
            ),
        ]
        indexes = [
            # The sweep and the line: unfinished jobs of a kind in the order they run.
            models.Index(
                fields=["kind", "status", "priority", "created_at"],
                condition=models.Q(status__in=UNFINISHED),
                name="job_unfinished",
            ),
            # A person's job list, newest first.
            models.Index(fields=["workspace", "owner", "-created_at"], name="job_owner_newest"),
            # Measured durations of a kind.
            models.Index(fields=["kind", "-finished_at"], name="job_kind_finished"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.status})"

    @property
    def is_finished(self) -> bool:
        """Whether the state is terminal."""
        return self.status in TERMINAL


class Artifact(models.Model):
    """A file that a job made. Equal content is stored once."""

    id = models.UUIDField(_("ID"), primary_key=True, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, verbose_name=_("job"), related_name="artifacts")
    media_type = models.CharField(_("media type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, db_index=True)
    file = models.CharField(_("file"), max_length=200, help_text=_("Name in the storage."))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("artifact")
        verbose_name_plural = _("artifacts")

    @override
    def __str__(self) -> str:
        return f"{self.media_type} {self.id}"


class Upload(models.Model):
    """A file that a user gave, to be an attachment of jobs."""

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", models.CASCADE, verbose_name=_("workspace"), related_name="uploads"
    )
    owner = models.ForeignKey(
        "accounts.User", models.CASCADE, verbose_name=_("owner"), related_name="uploads"
    )
    media_type = models.CharField(_("media type"), max_length=100)
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    size = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, db_index=True)
    file = models.CharField(_("file"), max_length=200, help_text=_("Name in the storage."))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    @override
    def __str__(self) -> str:
        return f"{self.media_type} {self.id}"


class Attachment(models.Model):
    """An upload that a job was given, by the name under which the engine finds it; it stays as long as the job."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="attachments")
    upload = models.ForeignKey(Upload, models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=40)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "name"], name="attachment_name_once"),)

    @override
    def __str__(self) -> str:
        return f"{self.name} of {self.job_id}"
