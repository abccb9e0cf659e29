"""Conversations: trees of messages, so that an edit or a second answer is a branch and nothing is overwritten."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from typing_extensions import override

TITLE_MAX, FOLDER_NAME_MAX, SYSTEM_MAX, REASON_MAX = 200, 60, 20_000, 1000
ASSISTANT_NAME_MAX, DESCRIPTION_MAX, OPENING_MAX = 60, 300, 50
DELETED_HELP = "Hidden since; erased for good some minutes later."


class Role(models.TextChoices):
    """Who said it."""

    USER = "user", "User"
    ASSISTANT = "assistant", "Assistant"


class State(models.TextChoices):
    """How a message stands; only an answer can be anything but done."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"
    BLOCKED = "blocked", "Blocked"


class Folder(models.Model):
    """Where a person keeps conversations together. What is in a deleted one is in none."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.CASCADE, related_name="+")
    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=FOLDER_NAME_MAX)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=DELETED_HELP)

    class Meta:
        ordering = ("name", "created_at")

    @override
    def __str__(self) -> str:
        return self.name


class Assistant(models.Model):
    """A saved persona. A conversation copies it when it begins, so that a later change does not reach back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.CASCADE, related_name="+")
    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=ASSISTANT_NAME_MAX)
    description = models.CharField(max_length=DESCRIPTION_MAX, blank=True)
    model = models.CharField(max_length=200, blank=True, help_text="Empty: the medium's default.")
    system = models.TextField(blank=True, max_length=SYSTEM_MAX)
    params = models.JSONField(default=dict, blank=True)
    opening = models.JSONField(
        default=list, blank=True, help_text="Turns that come before the first question."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=DELETED_HELP)

    class Meta:
        ordering = ("name", "created_at")

    @override
    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """A thread of one person with models.

    `current` is the end of the branch that is shown; a question there has its answers shown side by side.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.CASCADE, related_name="+")
    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    title = models.CharField(max_length=TITLE_MAX)
    titled = models.BooleanField(default=False, help_text="Named by its owner or a model.")
    title_job = models.OneToOneField("jobs.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    folder = models.ForeignKey(Folder, models.SET_NULL, null=True, blank=True, related_name="conversations")
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    current = models.ForeignKey("chat.Message", models.SET_NULL, null=True, blank=True, related_name="+")

    # How the next question is asked.
    assistant = models.ForeignKey(Assistant, models.SET_NULL, null=True, blank=True, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    system = models.TextField(blank=True, max_length=SYSTEM_MAX)
    params = models.JSONField(default=dict, blank=True)
    opening = models.JSONField(default=list, blank=True)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=DELETED_HELP)

    class Meta:
        indexes = (
            models.Index(fields=["workspace", "owner", "-updated_at"], name="conversation_owner_newest"),
            models.Index(
                fields=["deleted_at"],
                condition=models.Q(deleted_at__isnull=False),
                name="conversation_to_erase",
            ),
        )

    @override
    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """A turn. Messages with the same parent are branches: edited questions, or answers made anew."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(max_length=10, choices=Role.choices)
    content = models.TextField(blank=True)
    images = models.JSONField(default=list, blank=True, help_text="Uploads shown with a question.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Of an answer only; taken from its job when that ends.
    job = models.OneToOneField("jobs.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DONE)
    model = models.CharField(max_length=200, blank=True)
    reasoning = models.TextField(blank=True)
    error = models.JSONField(null=True, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    usage = models.JSONField(default=dict, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    rating = models.SmallIntegerField(default=0)
    rating_reason = models.CharField(max_length=REASON_MAX, blank=True)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="message_role_known"),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="message_state_known"),
            models.CheckConstraint(
                condition=models.Q(role=Role.ASSISTANT) | models.Q(state=State.DONE, job__isnull=True),
                name="message_of_user_has_no_job",
            ),
            models.CheckConstraint(condition=models.Q(rating__in=(-1, 0, 1)), name="message_rating_known"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.role} {self.id}"
