"""What is done with speeches once they are spoken: other formats, deleting and its undoing."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from aigc.lib.write_transaction import write_transaction
from apps.accounts.actors import Actor
from apps.jobs.files import OpenFile, open_artifact
from apps.jobs.selectors import parse_id
from apps.jobs.services import cancel_job, erase_jobs
from apps.voice import selectors, sound_files
from apps.voice.models import DeletedSpeech

# A deletion can be undone for this long; then the speech is erased for good.
UNDO_TIME = timedelta(minutes=10)


def open_as(*, actor: Actor, speech_id: str, format_: str) -> OpenFile:
    """The file of a speech in a format; made of the one that there is when it is first asked for, then kept.

    Raises AppError `not_found`, or `bad_request` for speech that the format cannot hold.
    """
    speech, artifact = selectors.get_spoken_file(actor, speech_id)
    if artifact["media_type"] != sound_files.MEDIA_TYPES[format_]:
        kept = sound_files.open_converted(artifact["id"], format_)
        if kept is not None:
            return kept
    spoken = open_artifact(speech.pk, parse_id(artifact["id"]))
    if spoken.media_type == sound_files.MEDIA_TYPES[format_]:
        return spoken
    with spoken.file:
        return sound_files.convert(spoken.file, artifact["id"], format_)


def delete_speech(*, actor: Actor, speech_id: str) -> None:
    """Hide it at once, and stop it if it is still being spoken; it is erased when it can no longer be brought back."""
    speech = selectors.get_speech(actor, speech_id)
    DeletedSpeech.objects.get_or_create(job=speech)
    cancel_job(actor=actor, job_id=speech.pk)


def restore_speech(*, actor: Actor, speech_id: str) -> None:
    """Bring back what was just deleted. Raises AppError `not_found` when it is too late."""
    speech = selectors.get_speech(actor, speech_id, deleted=True)
    DeletedSpeech.objects.filter(job=speech).delete()


def erase_deleted() -> None:
    """Erase what was deleted longer ago than it can be brought back: jobs, their events and all their files."""
    gone = DeletedSpeech.objects.filter(deleted_at__lt=timezone.now() - UNDO_TIME).select_related("job")
    for deleted in gone:
        artifacts = (deleted.job.result or {}).get("artifacts", [])
        with write_transaction():
            erased = erase_jobs([deleted.job_id])
        if erased:
            for artifact in artifacts:
                sound_files.erase_converted(artifact["id"])
