"""The states of a job. A terminal state never changes."""

from django.db import models


class Status(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    BLOCKED = "blocked", "Blocked"


UNFINISHED = (Status.QUEUED, Status.RUNNING)
TERMINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.BLOCKED)
MAX_ATTEMPTS = 3


class Tier(models.TextChoices):
    """Who waits: a person in front of a screen, or a program that can."""

    INTERACTIVE = "interactive", "Interactive"
    BATCH = "batch", "Batch"
