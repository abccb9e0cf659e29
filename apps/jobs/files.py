"""The bytes of jobs: between Redis, where workers reach them, and the storage, where they stay."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import uuid
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, UnidentifiedImageError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.write_transaction import take_turn, write_transaction
from apps.jobs import models
from apps.jobs.events import Artifact
from apps.jobs.kinds import get_kind
from apps.jobs.stream import job_log

UPLOAD_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
UPLOAD_MAX_BYTES = 20 * 1024 * 1024
UPLOAD_MAX_PIXELS = 4096 * 4096


class FileGone(Exception):
    """The bytes of an artifact expired or were lost before they were moved to storage."""


class Made(NamedTuple):
    """A file that a job made, and its row, unsaved."""

    row: models.Artifact
    data: bytes


def read_made(job: models.Job, artifact: Artifact) -> Made:
    """An artifact's bytes from Redis. Raises FileGone."""
    data = job_log().get_bytes(str(job.pk), artifact.id)
    if data is None:
        raise FileGone(
            "The result was made, but its file was lost before it could be stored. Please run it again."
        )
    digest = hashlib.sha256(data).hexdigest()
    row = models.Artifact(
        id=uuid.UUID(artifact.id),
        job=job,
        media_type=artifact.media_type,
        size=len(data),
        sha256=digest,
        file=_name("artifacts", digest, artifact.media_type),
    )
    return Made(row, data)


def store_made(made: Sequence[Made]) -> None:
    """Move them to storage; part of the transaction that ends their job."""
    for file in sorted(made, key=lambda file: file.row.file):
        _store(file.row.file, file.data)
    models.Artifact.objects.bulk_create(file.row for file in made)


def open_stored(name: str) -> BinaryIO:
    """The stored file."""
    return default_storage.open(name, "rb")  # type: ignore[return-value]  # Django's File is a BinaryIO in all but name


def check_upload(file: UploadedFile[bytes]) -> tuple[bytes, str, int, int]:
    """Bytes, media type, width and height of an uploaded picture. Raises AppError with the limit."""
    if file.size is None or file.size > UPLOAD_MAX_BYTES:
        message = f"file: the picture is larger than {UPLOAD_MAX_BYTES // 1024**2} MB; send a smaller one."
        raise AppError(ErrorCode.TOO_LARGE, message, field="file", limit_bytes=UPLOAD_MAX_BYTES)
    data = file.read()
    try:
        with Image.open(io.BytesIO(data), formats=list(UPLOAD_TYPES)) as picture:
            width, height = picture.size
            media_type = UPLOAD_TYPES[str(picture.format)]
            if width * height > UPLOAD_MAX_PIXELS:
                message = f"file: {width} × {height} pixels are more than {UPLOAD_MAX_PIXELS}, the most for a picture."
                raise AppError(ErrorCode.TOO_LARGE, message, field="file")
            picture.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        message = "file: this is not a whole PNG, JPEG or WebP picture."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="file") from error
    return data, media_type, width, height


def store_upload(*, workspace_id: uuid.UUID, owner_id: uuid.UUID, file: UploadedFile[bytes]) -> models.Upload:
    """Keep a user's picture."""
    data, media_type, width, height = check_upload(file)
    digest = hashlib.sha256(data).hexdigest()
    upload = models.Upload(
        workspace_id=workspace_id,
        owner_id=owner_id,
        media_type=media_type,
        width=width,
        height=height,
        size=len(data),
        sha256=digest,
        file=_name("uploads", digest, media_type),
    )
    with write_transaction():
        _store(upload.file, data)
        upload.save(force_insert=True)
    return upload


def hand_over_attachments(job: models.Job) -> dict[str, str]:
    """Put the job's uploads where its worker finds them; bytes ids by name."""
    kind = get_kind(job.kind)
    if kind is None or not kind.input.uploads(job.input):
        return {}
    handed = {}
    for attachment in job.attachments.select_related("upload"):
        upload = attachment.upload
        handed[attachment.name] = str(upload.pk)
        with open_stored(upload.file) as stored:
            job_log().put_bytes(str(job.pk), str(upload.pk), stored.read(), settings.AIGC_ARTIFACT_TTL_S)
    return handed


def _name(folder: str, digest: str, media_type: str) -> str:
    return f"{folder}/{digest[:2]}/{digest}{mimetypes.guess_extension(media_type) or ''}"


def _store(name: str, data: bytes) -> None:
    """Once per content: a file of this name that is there is used; nobody erases it before the transaction ends."""
    take_turn(name)
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))


def erase_stored(rows: Iterable[models.Artifact | models.Upload]) -> None:
    """Delete what these, whose rows are gone, had in storage.

    Equal content is stored once: a file stays as long as another row has it.
    """
    digests = {row.file: row.sha256 for row in rows}
    with write_transaction():
        for name in sorted(digests):
            take_turn(name)
        for model in (models.Artifact, models.Upload):
            others = model.objects.filter(sha256__in=digests.values(), file__in=digests)
            for name in others.values_list("file", flat=True):
                digests.pop(name, None)
        for name in digests:
            default_storage.delete(name)


class OpenFile(NamedTuple):
    """A file to serve; `size` in bytes."""

    file: BinaryIO
    size: int
    media_type: str


def open_upload(upload: models.Upload) -> OpenFile:
    """A picture as its owner gave it. Raises AppError `not_found` when its file is gone."""
    try:
        return OpenFile(open_stored(upload.file), upload.size, upload.media_type)
    except FileNotFoundError as error:
        raise AppError(ErrorCode.NOT_FOUND, "The file of this upload is no longer there.") from error


def open_artifact(job_id: uuid.UUID, artifact_id: uuid.UUID) -> OpenFile:
    """The artifact from wherever it is. Raises AppError `not_found` when it has expired or never was.

    Storage is asked again after Redis: the job may have been settled between the two.
    """
    opened = _open_stored(job_id, artifact_id) or _open_unstored(job_id, artifact_id)
    opened = opened or _open_stored(job_id, artifact_id)
    if opened is None:
        raise AppError(ErrorCode.NOT_FOUND, "This file is not there, or no longer.")
    return opened


def _open_stored(job_id: uuid.UUID, artifact_id: uuid.UUID) -> OpenFile | None:
    stored = models.Artifact.objects.filter(job_id=job_id, pk=artifact_id).first()
    return None if stored is None else OpenFile(open_stored(stored.file), stored.size, stored.media_type)


def _open_unstored(job_id: uuid.UUID, artifact_id: uuid.UUID) -> OpenFile | None:
    data = job_log().get_bytes(str(job_id), artifact_id.hex)
    return None if data is None else OpenFile(io.BytesIO(data), len(data), _media_type(data))


def _media_type(data: bytes) -> str:
    """By the signature: Redis keeps bytes only, and workers make only these."""
    signatures = {
        b"\x89PNG": "image/png",
        b"RIFF": "audio/wav",
        b"OggS": "audio/ogg",
        b"ID3": "audio/mpeg",
        b"\xff": "audio/mpeg",
    }
    return next(
        (type_ for start, type_ in signatures.items() if data.startswith(start)), "application/octet-stream"
    )
