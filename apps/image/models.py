"""The gallery: what became of image jobs, one row for each picture, and the boards they are on."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from typing_extensions import override

BOARD_NAME_MAX = 60

_SHOWN = models.Q(deleted_at__isnull=True)


class Board(models.Model):
    """Where a person keeps pictures together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.CASCADE, related_name="+")
    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=BOARD_NAME_MAX)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "created_at")
        constraints = (
            models.UniqueConstraint(fields=["workspace", "owner", "name"], name="board_name_once"),
        )

    @override
    def __str__(self) -> str:
        return self.name


class Picture(models.Model):
    """A picture in its owner's gallery. Its id is its artifact's: so none can be there twice."""

    artifact = models.OneToOneField("jobs.Artifact", models.CASCADE, primary_key=True, related_name="+")
    job = models.ForeignKey("jobs.Job", models.CASCADE, related_name="pictures")
    workspace = models.ForeignKey("accounts.Workspace", models.CASCADE, related_name="+")
    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    # How it was made. What was asked for is in the job's input.
    prompt = models.TextField()
    model = models.CharField(max_length=200)
    seed = models.BigIntegerField(null=True, blank=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    parameters = models.JSONField(default=dict, blank=True, help_text="As used; the file says the same.")

    # What its owner does with it.
    favourite = models.BooleanField(default=False)
    board = models.ForeignKey(Board, models.SET_NULL, null=True, blank=True, related_name="pictures")
    thumbnail = models.CharField(
        max_length=200, blank=True, help_text="Name in the storage; empty until it is first looked at."
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Hidden since; erased for good some minutes later."
    )

    class Meta:
        indexes = (
            # The gallery, newest first; with a search or a model, its rows are filtered along this index.
            models.Index(
                fields=["workspace", "owner", "-created_at"], condition=_SHOWN, name="picture_owner_newest"
            ),
            # One board or those on none, newest first.
            models.Index(
                fields=["workspace", "owner", "board", "-created_at"],
                condition=_SHOWN,
                name="picture_board_newest",
            ),
            # The favourites, newest first.
            models.Index(
                fields=["workspace", "owner", "-created_at"],
                condition=_SHOWN & models.Q(favourite=True),
                name="picture_favourites_newest",
            ),
            models.Index(
                fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="picture_to_erase"
            ),
        )

    @override
    def __str__(self) -> str:
        return f"{self.prompt[:50]} ({self.pk})"
