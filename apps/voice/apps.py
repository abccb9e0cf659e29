"""The voice medium."""

from django.apps import AppConfig
from typing_extensions import override

from apps.jobs import kinds


class VoiceConfig(AppConfig):
    """The voice app."""

    name = "apps.voice"

    @override
    def ready(self) -> None:
        """Tell the jobs app what a voice job takes."""
        from apps.voice.job import KIND  # noqa: PLC0415  app modules load before models may be imported

        kinds.register(KIND)
