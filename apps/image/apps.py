"""The image medium."""

from django.apps import AppConfig
from typing_extensions import override

from apps.jobs import kinds


class ImageConfig(AppConfig):
    """The image app."""

    name = "apps.image"

    @override
    def ready(self) -> None:
        """Tell the jobs app what an image job takes."""
        from apps.image.job import KIND  # noqa: PLC0415  app modules load before models may be imported

        kinds.register(KIND)
