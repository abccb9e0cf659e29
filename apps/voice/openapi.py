"""What the OpenAPI document says of speeches beyond what the serializers can: the plain view."""

from __future__ import annotations

from typing import Any

from apps.jobs.openapi import JSON, file_path
from apps.voice.sound_files import FORMATS, MEDIA_TYPES


def describe_speeches(result: JSON, **_: Any) -> JSON:
    """Add to the document what is missing; the document."""
    wanted = {"in": "query", "name": "as", "schema": {"type": "string", "enum": list(FORMATS)}}
    result["paths"]["/api/v1/speeches/{speech_id}/audio"] = file_path(
        "speeches_audio",
        "The speech as a file to download, whatever format it was made in; ranges are answered.",
        ids=("speech_id",),
        tag="speeches",
        parameters=(wanted,),
        media_types=tuple(MEDIA_TYPES[format_] for format_ in FORMATS),
    )
    return result
