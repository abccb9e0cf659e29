"""Writing the gallery: keep what jobs make, mark and file it, and delete so that nothing is left."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog

from apps.image.formats import describe
from apps.image.models import Picture
from apps.jobs.files import open_stored
from apps.jobs.selectors import get_ended_job

logger = structlog.get_logger(__name__)


# --- keeping


def keep_pictures(job_id: str) -> None:
    """Put what a job has made into its owner's gallery; part of the job's own transaction.

    What the product made for itself (a job with a purpose) is in nobody's gallery.
    """
    job = get_ended_job(job_id)
    if job.purpose or job.finished_at is None:
        return
    seeds = {uuid.UUID(made["id"]): made.get("seed") for made in (job.result or {}).get("artifacts", [])}
    artifacts = {artifact.pk: artifact for artifact in job.artifacts.all()}
    pictures = []
    for number, (artifact_id, seed) in enumerate(seeds.items()):
        artifact = artifacts[artifact_id]
        try:
            with open_stored(artifact.file) as file:
                said = describe(file)
        except OSError as error:
            # The job keeps its artifact; what cannot be shown has no place in a gallery.
            logger.warning("no_picture", job=job_id, artifact=str(artifact_id), error=str(error))
            continue
        pictures.append(
            Picture(
                artifact=artifact,
                job=job,
                workspace_id=job.workspace_id,
                owner_id=job.owner_id,
                prompt=job.input["prompt"],
                model=job.model,
                seed=seed,
                width=said.width,
                height=said.height,
                parameters=said.parameters,
                # A microsecond apart, so that the pictures of a job have an order, too.
                created_at=job.finished_at + timedelta(microseconds=number),
            )
        )
    Picture.objects.bulk_create(pictures)
