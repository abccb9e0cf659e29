"""What the OpenAPI document says of pictures beyond what the serializers can: the plain view."""

from __future__ import annotations

from typing import Any

from apps.image.thumbnails import MEDIA_TYPE
from apps.jobs.openapi import JSON, file_path


def describe_pictures(result: JSON, **_: Any) -> JSON:
    """Add to the document what is missing; the document."""
    result["paths"]["/api/v1/pictures/{picture_id}/thumbnail"] = file_path(
        "pictures_thumbnail",
        "A small WebP of the picture; made when it is first asked for.",
        ids=("picture_id",),
        tag="pictures",
        media_types=(MEDIA_TYPE,),
    )
    return result
