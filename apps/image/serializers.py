"""The REST shapes of the gallery, for parsing and for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from typing_extensions import override

from apps.image.models import BOARD_NAME_MAX

PROMPT_SEARCH_MAX = 200
# Pictures that one request may change: all of a large gallery.
MANY_MAX = 10_000


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


@extend_schema_field({"$ref": "#/components/schemas/ImageInput"})
class InputField(serializers.DictField):
    """The input of an image job; described in apps/jobs/openapi.py."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": ["string", "number"]}})
class ParametersField(serializers.DictField):
    """Words and numbers by name."""


class PictureDetail(PictureOutput):
    """A picture with all that made it."""

    input = InputField(
        help_text="What was asked, with this picture's own seed: as the input of a job it makes this one again."
    )
    parameters = ParametersField(
        help_text="What the model used, its own choices too; empty when it did not say."
    )
    media_type = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")


class PictureChanges(serializers.Serializer[Any]):
    """What of a picture is changed."""

    favourite = serializers.BooleanField(required=False)
    board = serializers.UUIDField(required=False, allow_null=True, help_text="null: on no board.")

    @override
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something must be."""
        if not {"favourite", "board"} & attrs.keys():
            raise serializers.ValidationError("Say what to change: favourite or board.")
        return attrs


class ManyInput(serializers.Serializer[Any]):
    """Pictures by their ids."""

    pictures = serializers.ListField(
        child=serializers.UUIDField(), allow_empty=False, max_length=MANY_MAX, help_text="Ids."
    )


class ManyChanges(PictureChanges, ManyInput):
    """Pictures, and what of them is changed."""


class ManyOutput(serializers.Serializer[Any]):
    """How many it reached; what is deleted or somebody else's is passed over."""

    changed = serializers.IntegerField()


class IdsOutput(serializers.Serializer[Any]):
    """Ids only, newest first."""

    ids = serializers.ListField(child=serializers.UUIDField())


class ModelCount(serializers.Serializer[Any]):
    """A model and how many pictures it has made."""

    model = serializers.CharField()
    count = serializers.IntegerField()


class CountsOutput(serializers.Serializer[Any]):
    """How many pictures match the filter, and how many there are in each place."""

    found = serializers.IntegerField()
    all = serializers.IntegerField()
    favourites = serializers.IntegerField()
    unfiled = serializers.IntegerField(help_text="On no board.")
    models = ModelCount(many=True)


class BoardInput(serializers.Serializer[Any]):
    """A board's name, once for each owner."""

    name = serializers.CharField(max_length=BOARD_NAME_MAX)


class BoardOutput(serializers.Serializer[Any]):
    """A board."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    count = serializers.IntegerField()
    cover = serializers.CharField(allow_null=True, help_text="The thumbnail's address of its newest picture.")


class BoardListOutput(serializers.Serializer[Any]):
    """All boards."""

    results = BoardOutput(many=True)
