"""The states of a job. A terminal state never changes."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    BLOCKED = "blocked", _("Blocked")


UNFINISHED = (Status.QUEUED, Status.RUNNING)
TERMINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.BLOCKED)
MAX_ATTEMPTS = 3


class Tier(models.TextChoices):
    """Who waits: a person in front of a screen, or a program that can."""

    INTERACTIVE = "interactive", _("Interactive")
    BATCH = "batch", _("Batch")
