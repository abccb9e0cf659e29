"""The REST shapes of the gallery, for parsing and for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

PROMPT_SEARCH_MAX = 200


def parsed(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """What was sent, checked. Raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class PictureFilter(serializers.Serializer[Any]):
    """Which pictures are listed; all of what is given must match."""

    board = serializers.CharField(
        required=False, allow_blank=True, max_length=50, help_text="A board's id, or none: on no board."
    )
    favourite = serializers.BooleanField(required=False)
    model = serializers.CharField(required=False, allow_blank=True, max_length=200)
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=PROMPT_SEARCH_MAX, help_text="Words of the prompt."
    )


class PictureOutput(serializers.Serializer[Any]):
    """A picture as the gallery shows it; its id is its artifact's."""

    id = serializers.UUIDField()
    job = serializers.UUIDField()
    prompt = serializers.CharField()
    model = serializers.CharField()
    seed = serializers.IntegerField(allow_null=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    favourite = serializers.BooleanField()
    board = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    file = serializers.CharField(help_text="Its address, on this server.")
    thumbnail = serializers.CharField(help_text="The address of a small WebP of it.")


class PictureDetail(PictureOutput):
    """A picture with all that made it."""

    input = serializers.DictField(
        help_text="What was asked, with this picture's own seed: as the input of a job it makes this one again."
    )
    parameters = serializers.DictField(
        help_text="What the model used, its own choices too; empty when it did not say."
    )
    media_type = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
