"""What of speeches the jobs themselves do not know."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from typing_extensions import override


class DeletedSpeech(models.Model):
    """A speech that its owner deleted: hidden since, erased with its job some minutes later."""

    job = models.OneToOneField("jobs.Job", models.CASCADE, primary_key=True, related_name="+")
    deleted_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    @override
    def __str__(self) -> str:
        return f"deleted speech {self.job_id}"
