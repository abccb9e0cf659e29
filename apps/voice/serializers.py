"""The REST shapes of speeches, for parsing and for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.catalog.views import VoiceOutput


class SpeechFilter(serializers.Serializer[Any]):
    """Which speeches."""

    search = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="What they say."
    )


class StyleOutput(serializers.Serializer[Any]):
    """A named preset: what it sets speed, pitch and volume to."""

    id = serializers.CharField()
    speed = serializers.FloatField()
    pitch = serializers.FloatField()
    volume = serializers.FloatField()


class OfferOutput(serializers.Serializer[Any]):
    """What can be chosen for a speech. No languages of a known model: it does not say which it speaks."""

    model = serializers.CharField()
    known = serializers.BooleanField(help_text="False until a worker has loaded the model: ask again soon.")
    voices = VoiceOutput(many=True)
    languages = serializers.ListField(child=serializers.CharField())
    styles = StyleOutput(many=True)
    ssml_elements = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="The elements of SSML that are known, with their attributes.",
    )
    text_max = serializers.IntegerField(help_text="Characters.")
    ssml_max = serializers.IntegerField(help_text="Characters.")
