"""The cpu worker's and beat's Celery app: `celery -A aigc worker -Q cpu`, `celery -A aigc beat`."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import beat_init, worker_ready
from django.conf import settings

from aigc.lib.long_lived import spare_long_lived

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")

app = Celery("aigc", set_as_current=True)
app.add_defaults(lambda: settings.CELERY)
app.set_default()
app.autodiscover_tasks()


@beat_init.connect
@worker_ready.connect
def settle_down(**_kwargs: object) -> None:
    """All is imported and the first message may come."""
    spare_long_lived()
