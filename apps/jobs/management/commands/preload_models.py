"""Have the workers load the default models now, so that the first job need not wait for them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from typing_extensions import override

from aigc.lib.errors import AppError
from apps.catalog.selectors import get_model_spec
from apps.jobs.dispatch import MEDIA, send_load


class Command(BaseCommand):
    """`manage.py preload_models`"""

    help = __doc__

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """Sends one message for each medium that has a default model."""
        for medium in MEDIA:
            try:
                spec = get_model_spec(None, medium)
            except AppError as error:
                self.stderr.write(error.message)
                continue
            send_load(spec)
            self.stdout.write(f"{medium}: {spec['id']}")
