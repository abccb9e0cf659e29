"""`manage.py seed_catalog`: list the models that the product knows of."""

from typing import Any

from django.core.management.base import BaseCommand
from typing_extensions import override

from apps.catalog.services import seed_catalog


class Command(BaseCommand):
    """Adds missing entries; run at every start."""

    help = "Add the models that every installation lists. Entries that exist keep what people made of them."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        created = seed_catalog()
        if created:
            self.stdout.write(f"Added to the catalogue: {', '.join(created)}")
