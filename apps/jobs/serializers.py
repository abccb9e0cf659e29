"""The REST shapes of jobs, for parsing and for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.jobs.kinds import kind_names
from apps.jobs.states import Status, Tier


class SubmitSerializer(serializers.Serializer[Any]):
    """What `POST /api/v1/jobs` takes."""

    kind = serializers.CharField(max_length=20, help_text="chat, image or voice")
    input = serializers.DictField(help_text="The medium's parameters; see /api/v1/kinds for their schema.")
    model = serializers.CharField(
        max_length=200, required=False, help_text="A model id; the medium's default if absent."
    )
    priority = serializers.ChoiceField(choices=Tier.choices, default=Tier.INTERACTIVE)


# The components that these name are described in apps/jobs/openapi.py.
@extend_schema_field({"$ref": "#/components/schemas/Usage"})
class UsageField(serializers.DictField):
    """What a job took."""


@extend_schema_field({"$ref": "#/components/schemas/JobError"})
class ErrorField(serializers.DictField):
    """Why a job failed or was refused."""


@extend_schema_field({"$ref": "#/components/schemas/ArtifactEvent"})
class ArtifactField(serializers.DictField):
    """A file that a job made, as its event told."""


class JobResultSerializer(serializers.Serializer[Any]):
    """What a job has made: text, or files."""

    text = serializers.CharField(required=False)
    reasoning = serializers.CharField(required=False)
    artifacts = serializers.ListField(child=ArtifactField(), required=False)
    finish_reason = serializers.CharField(required=False)
    confidence = serializers.FloatField(required=False)
    usage = UsageField(required=False)


class JobSerializer(serializers.Serializer[Any]):
    """A job as it reads."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    attempt = serializers.IntegerField()
    model = serializers.CharField()
    tier = serializers.ChoiceField(choices=Tier.choices)
    position = serializers.IntegerField(required=False, help_text="Place in line while queued; 1 is next.")
    eta_s = serializers.FloatField(
        required=False, allow_null=True, help_text="Expected seconds until it starts."
    )
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    input = serializers.DictField()
    result = JobResultSerializer(required=False)
    error = ErrorField(required=False)


class UploadSerializer(serializers.Serializer[Any]):
    """An uploaded picture."""

    id = serializers.UUIDField()
    media_type = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()


class JobFilterSerializer(serializers.Serializer[Any]):
    """The filters of the job list."""

    kind = serializers.CharField(required=False)
    status = serializers.CharField(required=False, help_text="One or more states, separated by commas.")

    def validate_kind(self, value: str) -> str:
        """A kind that there is."""
        if value not in kind_names():
            raise serializers.ValidationError(f"{value[:50]!r} is not one of {', '.join(kind_names())}.")
        return value

    def validate_status(self, value: str) -> list[str]:
        """States that there are."""
        statuses = [status for status in value.split(",") if status]
        for status in statuses:
            if status not in Status.values:
                raise serializers.ValidationError(
                    f"{status[:50]!r} is not one of {', '.join(Status.values)}."
                )
        return statuses
