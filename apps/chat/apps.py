"""The chat medium."""

from django.apps import AppConfig
from typing_extensions import override

from apps.jobs import kinds


class ChatConfig(AppConfig):
    """The chat app."""

    name = "apps.chat"

    @override
    def ready(self) -> None:
        """Tell the jobs app what a chat job takes."""
        from apps.chat.job import KIND  # noqa: PLC0415  app modules load before models may be imported

        kinds.register(KIND)
