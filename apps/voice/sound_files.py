"""The file of a speech in the other formats, kept in the storage beside what the worker made."""

from __future__ import annotations

import io
from typing import BinaryIO, Literal, get_args

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from aigc.lib.errors import AppError, ErrorCode
from apps.jobs.files import OpenFile, open_stored

Format = Literal["wav", "mp3", "ogg"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[str, str] = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
# Container and coding, as libsndfile names them.
_CODINGS = {"wav": ("WAV", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS")}
# libsndfile's Vorbis encoder keeps a whole write on its stack.
_BLOCK_SAMPLES = 1 << 16


def open_converted(artifact_id: str, format_: str) -> OpenFile | None:
    """What `convert` has kept; None when there is nothing."""
    name = _name(artifact_id, format_)
    if not default_storage.exists(name):
        return None
    return OpenFile(open_stored(name), default_storage.size(name), MEDIA_TYPES[format_])


def convert(spoken: BinaryIO, artifact_id: str, format_: str) -> OpenFile:
    """Write the speech in another format, and keep it. Raises AppError `bad_request` when the format cannot hold it."""
    data = _converted(spoken, format_)
    name = _name(artifact_id, format_)
    # Another request may have been faster; a storage would keep a second one under another name.
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))
    return OpenFile(io.BytesIO(data), len(data), MEDIA_TYPES[format_])


def erase_converted(artifact_id: str) -> None:
    """Erase the speech in all formats that were asked for."""
    for format_ in FORMATS:
        default_storage.delete(_name(artifact_id, format_))


def _name(artifact_id: str, format_: str) -> str:
    return f"converted/{artifact_id[:2]}/{artifact_id}.{format_}"


def _converted(spoken: BinaryIO, format_: str) -> bytes:
    # With it comes numpy: 25 MB that only a process that converts has to hold.
    import soundfile  # noqa: PLC0415

    container, coding = _CODINGS[format_]
    written = io.BytesIO()
    try:
        with (
            soundfile.SoundFile(spoken) as source,
            soundfile.SoundFile(
                written, "w", source.samplerate, source.channels, coding, format=container
            ) as target,
        ):
            for block in source.blocks(_BLOCK_SAMPLES, dtype="int16"):
                target.write(block)
    except soundfile.LibsndfileError as error:
        message = f"as: this speech cannot be written as {format_}: {error.error_string}"
        raise AppError(ErrorCode.BAD_REQUEST, message, field="as") from error
    return written.getvalue()
