"""Writing the gallery: keep what jobs make, mark and file it, and delete so that nothing is left."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.write_transaction import write_transaction
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.image import selectors
from apps.image.formats import describe
from apps.image.models import Board, Picture
from apps.jobs.files import open_stored
from apps.jobs.selectors import get_ended_job
from apps.jobs.services import erase_artifacts, erase_jobs

logger = structlog.get_logger(__name__)

# How long a deleted picture can be brought back.
UNDO_TIME = timedelta(minutes=10)
# Jobs whose pictures are erased in one transaction: SQLite has one writer, and others wait for it.
ERASE_PAGE = 50


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


# --- marking and filing


def change_pictures(*, actor: Actor, picture_ids: Iterable[uuid.UUID], changes: Mapping[str, Any]) -> int:
    """Set `favourite` or `board` (None: on no board) of these; how many there were of them.

    What is not there, deleted meanwhile or somebody else's is passed over. Raises AppError `not_found` for the board.
    """
    wanted = dict(changes)
    if wanted.get("board") is not None:
        wanted["board"] = selectors.get_board(actor, wanted["board"])
    return selectors.own_pictures(actor).filter(pk__in=list(picture_ids)).update(**wanted)


def create_board(*, actor: Actor, name: str) -> Board:
    """A new board. Raises AppError `conflict` when the actor has one of this name."""
    actor.check(Permission.SUBMIT_JOBS)
    board = Board(workspace_id=actor.workspace_id, owner_id=actor.user_id, name=name)
    return _saved(board)


def rename_board(*, actor: Actor, board_id: str, name: str) -> Board:
    """The board under its new name. Raises AppError: `not_found`, `conflict` as for a new one."""
    board = selectors.get_board(actor, board_id)
    board.name = name
    return _saved(board)


def delete_board(*, actor: Actor, board_id: str) -> None:
    """Its pictures stay, on no board."""
    selectors.get_board(actor, board_id).delete()


def _saved(board: Board) -> Board:
    try:
        with write_transaction():
            board.save()
    except IntegrityError as error:
        message = f"name: you have a board named {board.name!r} already; choose another name."
        raise AppError(ErrorCode.CONFLICT, message, field="name") from error
    return board


# --- deleting


def delete_pictures(*, actor: Actor, picture_ids: Iterable[uuid.UUID]) -> int:
    """Hide these at once; how many there were of them. `erase_deleted` leaves nothing of them."""
    shown = selectors.own_pictures(actor).filter(pk__in=list(picture_ids))
    return shown.update(deleted_at=timezone.now())


def restore_pictures(*, actor: Actor, picture_ids: Iterable[uuid.UUID]) -> int:
    """Bring back what was just deleted; how many of these it was not too late for."""
    hidden = selectors.own_pictures(actor, deleted=True).filter(pk__in=list(picture_ids))
    return hidden.filter(deleted_at__gt=timezone.now() - UNDO_TIME).update(deleted_at=None)


def erase_deleted() -> None:
    """Erase what was deleted longer ago than it can be brought back; with the last picture of a job the job, too."""
    gone = Picture.objects.filter(deleted_at__lte=timezone.now() - UNDO_TIME)
    job_ids = list(gone.values_list("job_id", flat=True).distinct())
    for start in range(0, len(job_ids), ERASE_PAGE):
        with write_transaction():
            _erase(list(gone.filter(job_id__in=job_ids[start : start + ERASE_PAGE])))


def _erase(pictures: list[Picture]) -> None:
    erased = [picture.pk for picture in pictures]
    jobs = {picture.job_id for picture in pictures}
    left = Picture.objects.filter(job_id__in=jobs).exclude(pk__in=erased)
    jobs_with_others = set(left.values_list("job_id", flat=True))
    erase_artifacts(picture.pk for picture in pictures if picture.job_id in jobs_with_others)
    erase_jobs(jobs - jobs_with_others)
    transaction.on_commit(lambda: _delete_thumbnails(pictures))


def _delete_thumbnails(pictures: Iterable[Picture]) -> None:
    for picture in pictures:
        if picture.thumbnail:
            default_storage.delete(picture.thumbnail)
